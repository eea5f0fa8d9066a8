"""The exception tree. Every error that a user can cause or mend is one of these.

    ProfilerError             exit 1
    ├── UsageError            exit 2   what the user typed: a flag, a selector, a time, a URL
    │   └── SelectorError              carries the position of the mistake
    ├── FormatError           exit 2   a profile file or message that cannot be read
    ├── UnavailableError      exit 1   something that should answer does not: a server, a port
    ├── PrivilegeError        exit 1   the kernel refuses; names the capability
    └── NotComparable         exit 4   two sides of which no difference can be told

A message names the thing, the value and the next step, on one line. The command line prints it
on stderr and leaves with `exit_code`; a traceback means a bug.
"""


class ProfilerError(Exception):
    """The root: one line for people, and the exit code of a command that ends with it."""

    exit_code = 1


class UsageError(ProfilerError):
    """What the user typed cannot be meant."""

    exit_code = 2


class SelectorError(UsageError):
    """A selector with a mistake at `position`, counted in characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at position {position})")
        self.position = position


class FormatError(ProfilerError):
    """Bytes from outside that are not what they claim to be."""

    exit_code = 2


class UnavailableError(ProfilerError):
    """A server, a port or a database that does not answer as it should."""


class PrivilegeError(ProfilerError):
    """The kernel refuses what profiling needs; the message names the capability."""


class NotComparable(ProfilerError):
    """Two sides of which no difference can be told; the message says what differs, and how much."""

    exit_code = 4
