"""A command that is sampled from its first instruction.

    with Command(argv) as command, Sampler(target=[command.pid], on_exec=True) as sampler:
        command.resume()
        command.wait()
        sampler.stop()
        drain = sampler.drain()

Its standard streams, its place in the terminal's foreground and its environment are ours.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from profiler.errors import ProfilerError, UsageError

# A shell that stops itself is a process whose events can be opened before its exec.
_STOP_THEN_EXEC = 'kill -STOP $$; exec "$@"'

_PATIENCE_S = 5  # between SIGTERM and SIGKILL for a command that is left running


class Command:
    """A child process that waits for `resume` before it executes `arguments`; ends with exit."""

    def __init__(self, arguments: Sequence[str]) -> None:
        if not arguments or shutil.which(arguments[0]) is None:
            raise UsageError(f"no such command: {' '.join(arguments[:1]) or '(nothing)'}")
        self._arguments = tuple(arguments)

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(["/bin/sh", "-c", _STOP_THEN_EXEC, "sh", *self._arguments])
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            raise ProfilerError(f"the shell ended before {self._arguments[0]} with {status}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self.resume()
            try:
                self._process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def wait(self) -> int:
        """The command's exit code; negative: the signal that ended it."""
        return self._process.wait()
