"""A session: a closer profile that somebody asked running collectors for.

Its samples are of a profile type of their own, so that nothing which adds up `cpu` counts the
processes that were looked at twice; a label tells the sessions apart:

    cpu_on_demand{profiler_session="9f86d081884c7d65"}
"""

import re
from dataclasses import dataclass
from enum import StrEnum

LABEL = "profiler_session"

MAX_NAME = 100
"""Characters of an event's name in that of the profile type."""

MAX_REASON = 512
"""Characters of a reason: a line of an error, on a page."""

_ID = re.compile(r"[0-9a-f]{16}")


class State(StrEnum):
    """Of a session on one host. The words are those of the store and of the HTTP API.

    ASKED     for some server that holds a stream of the host
    OFFERED   by such a server to the collector
    RUNNING   the collector samples
    STOPPING  somebody wants it to end
    DONE      it took as long as it was asked for
    CUT       it ended before, and the reason says why
    REFUSED   it never began, and the reason says why
    GONE      nobody has heard of it, though it was time; what arrives later is stored all the same
    """

    ASKED = "asked"
    OFFERED = "offered"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    CUT = "cut"
    REFUSED = "refused"
    GONE = "gone"


OPEN = (State.ASKED, State.OFFERED, State.RUNNING, State.STOPPING)

TOLD = (State.RUNNING, State.DONE, State.CUT, State.REFUSED)
"""What a collector can say of itself. The order is that of the wire's numbers."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a collector says of a session, with the samples that it has taken since it last did."""

    session: str
    state: State
    reason: str = ""
    processes: int = 0

    @property
    def ended(self) -> bool:
        return self.state is not State.RUNNING


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def profile_type(event: str) -> str:
    """The name of the profile type of sessions of an event, whatever terms it has: of
    `off-cpu/min=1ms/`, `off_cpu_on_demand`."""
    name, *_ = re.split("[/:]", event, maxsplit=1)
    name = re.sub(r"[^A-Za-z0-9_]", "_", name)[:MAX_NAME]
    return f"{'_' if name[:1].isdigit() else ''}{name}_on_demand"


def query(event: str, session: str) -> str:
    """The selector of all that a session has taken."""
    return f'{profile_type(event)}{{{LABEL}="{session}"}}'
