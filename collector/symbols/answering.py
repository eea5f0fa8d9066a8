"""Opens files whose file system may never answer: NFS without its server, FUSE without its daemon.

The kernel lets nobody give up who waits for such a one, so another thread waits in our place. Until
it is back, no other file of that file system is opened, and what it has opened by then is closed.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

PATIENCE_SECONDS = 1.0
MAX_SILENT = 16
"""Files that are waited for, each by a thread; beyond it none is opened of such file systems."""

Device = tuple[int, int]


class SilentError(Exception):
    """The file system does not answer, or nobody can wait for it."""


class _Asked:
    def __init__(self) -> None:
        self.answered = threading.Event()
        self.given_up = False
        self.descriptor: int | None = None


class Answering:
    """Knows which file systems are silent; for any thread."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._silent = Counter[Device]()
        self._lock = threading.Lock()

    def opened(self, device: Device, open_file: Callable[[], int | None]) -> int | None:
        """What `open_file` gives, a descriptor, once its first byte was read. Raises SilentError.

        A device without a major number may be a network's or a user's (or overlay, tmpfs, btrfs);
        the others are disks, which answer, if only by an error.
        """
        if device[0]:
            return open_file()
        with self._lock:
            if device in self._silent or self._silent.total() >= MAX_SILENT:
                raise SilentError
        asked = _Asked()
        work = threading.Thread(
            target=self._ask, args=(device, open_file, asked), name="open-file", daemon=True
        )
        try:
            work.start()
        except RuntimeError:  # as many threads as there may be (pids.max)
            raise SilentError from None
        asked.answered.wait(self._patience_seconds)
        with self._lock:
            if asked.answered.is_set():
                return asked.descriptor
            asked.given_up = True
            self._silent[device] += 1
        raise SilentError

    def _ask(self, device: Device, open_file: Callable[[], int | None], asked: _Asked) -> None:
        descriptor = open_file()
        if descriptor is not None:
            with suppress(OSError):
                os.pread(descriptor, 1, 0)
        with self._lock:
            asked.descriptor = descriptor
            asked.answered.set()
            if asked.given_up:
                self._silent -= Counter({device: 1})
                if descriptor is not None:
                    os.close(descriptor)
