"""What is kept of a process to tell what it belongs to, read when it is first seen: a process that
lives for 50 ms is gone when its samples are drained.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from collector.labels import cgroup, environment
from collector.labels.cgroup import Cgroup, parse_cgroup
from collector.labels.environment import Environment, parse_environment
from collector.processes.bounded import Bounded
from collector.processes.procfs import ProcFs
from collector.processes.text import printable

MAX_COMMAND_LINE = 4096
MAX_CGROUPS = 4096
"""Texts of /proc/PID/cgroup that are known already; some 500 bytes each."""
CGROUP_NS = 60_000_000_000
"""A process may be moved while it runs, as desktops do with what they have started; so its group is
looked at again after a minute."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be read beside the control group: variables by name, or that match, and more."""

    variables: Collection[bytes] = environment.NAMES
    matches: Callable[[str], bool] | None = None
    command_line: bool = False
    uid: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """`read_ns` is the monotonic time at which the control group was read."""

    cgroup: Cgroup = field(default_factory=Cgroup)
    environment: Environment = ()
    command_line: str = ""
    uid: str = ""
    read_ns: int = field(default=0, compare=False)


class OriginReader:
    """`seen` is told of every container that a process is found in."""

    def __init__(
        self,
        proc: ProcFs,
        wanted: Wanted | None = None,
        seen: Callable[[Cgroup], None] = lambda cgroup: None,
    ) -> None:
        self._proc = proc
        self._wanted = wanted or Wanted()
        self._seen = seen
        self._cgroups: Bounded[bytes, Cgroup] = Bounded(MAX_CGROUPS, lambda found: 1)

    def read(self, pid: int, before: Origin | None = None) -> Origin | None:
        """Of a process that runs; what cannot be read is as it was `before`, in its parent or in
        the program that it ran before."""
        found = self.moved(pid, before or Origin())
        if found is None:
            return before
        variables = self._proc.environment(pid, environment.MAX_BYTES)
        if variables:
            wanted = self._wanted.variables, self._wanted.matches
            found = replace(found, environment=parse_environment(variables, *wanted))
        if self._wanted.command_line:
            words = self._proc.command_line(pid, MAX_COMMAND_LINE) or b""
            text = printable(words.rstrip(b"\0").replace(b"\0", b" "), MAX_COMMAND_LINE)
            found = replace(found, command_line=text)
        if self._wanted.uid:
            status = self._proc.status(pid)
            found = replace(found, uid=str(status.uid) if status else "")
        return found

    def moved(self, pid: int, known: Origin) -> Origin | None:
        """`known` with the control group that the process is in now; None where it has ended."""
        text = self._proc.cgroup(pid, cgroup.MAX_BYTES)
        if text is None:
            return None
        group = self._cgroups.get(text)
        if group is None:
            group = self._cgroups[text] = parse_cgroup(text)
        if group.container_id:  # each time: it may not have been known
            self._seen(group)
        return replace(known, cgroup=group, read_ns=time.monotonic_ns())
