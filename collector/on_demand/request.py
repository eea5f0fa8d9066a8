"""What is asked for, once it has been looked at."""

from dataclasses import dataclass

from collector.events import AnyClock, Event, OffCpu, parse
from collector.events.names import SOFTWARE
from collector.kernel.perf_event import Counter
from profiler import selector as selectors
from profiler import session, timerange
from profiler.errors import UsageError
from profiler.model import CPU
from profiler.selector import Matcher
from profiler.v1 import ingest_pb2 as pb


@dataclass(frozen=True, slots=True)
class Request:
    """`matchers` are on the labels that the usual profile gives the processes."""

    session: str
    matchers: tuple[Matcher, ...]
    event: Event
    duration_ns: int

    @property
    def frequency_hz(self) -> int:
        """0: each sleep is a sample."""
        return 0 if isinstance(self.event.source, OffCpu) else self.event.frequency_hz

    @property
    def seconds(self) -> float:
        return self.duration_ns / timerange.SECOND


def read(message: pb.Request) -> Request:
    """Raises UsageError for what cannot be meant; its session is known to be one."""
    selector = selectors.parse(message.selector)
    if not message.frequency_hz or not message.duration_ns:
        raise UsageError("a session needs a frequency and a duration")
    event = _event(message.event, message.frequency_hz)
    return Request(message.session, selector.matchers, event, message.duration_ns)


def unread(message: pb.Request) -> Request:
    """One that can only be refused."""
    return Request(message.session, (), Event(message.event, CPU, AnyClock()), 0)


def is_one(message: pb.Request) -> bool:
    """Whether there is a name by which it can be answered."""
    return session.is_id(message.session)


def _event(text: str, frequency_hz: int) -> Event:
    event, *others = parse(text, frequency_hz=frequency_hz)
    if others:
        raise UsageError(f"events {text}: a session is of one")
    if not _is_offered(event):
        raise UsageError(
            f"event {event.name} is not offered on demand: there are cpu, off-cpu, and page-faults"
            " and what else software counts, by frequency"
        )
    return event


def _is_offered(event: Event) -> bool:
    """What comes at a rate and probes nothing: whoever reaches the server asks."""
    if isinstance(event.source, Counter):
        return event.source.type == SOFTWARE and event.frequency_hz > 0
    return isinstance(event.source, AnyClock | OffCpu)
