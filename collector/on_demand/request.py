"""What is asked for, once it has been looked at."""

from dataclasses import dataclass

from profiler import selector as selectors
from profiler import session, timerange
from profiler.errors import UsageError
from profiler.selector import Matcher
from profiler.v1 import ingest_pb2 as pb


@dataclass(frozen=True, slots=True)
class Request:
    """`matchers` are on the labels that the usual profile gives the processes."""

    session: str
    matchers: tuple[Matcher, ...]
    event: str
    frequency_hz: int
    duration_ns: int

    @property
    def seconds(self) -> float:
        return self.duration_ns / timerange.SECOND


def read(message: pb.Request) -> Request:
    """Raises UsageError for what cannot be meant; its session is known to be one."""
    selector = selectors.parse(message.selector)
    if not message.frequency_hz or not message.duration_ns:
        raise UsageError("a session needs a frequency and a duration")
    return Request(
        message.session,
        selector.matchers,
        message.event,
        message.frequency_hz,
        message.duration_ns,
    )


def is_one(message: pb.Request) -> bool:
    """Whether there is a name by which it can be answered."""
    return session.is_id(message.session)
