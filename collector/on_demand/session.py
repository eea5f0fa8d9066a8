"""One session, from its begin to its last batch."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

from collector.delivery import Exporter
from collector.on_demand.limits import Limits
from collector.on_demand.request import Request
from collector.on_demand.source import Node, Open, Source
from profiler import session
from profiler.clock import Clock
from profiler.errors import ProfilerError
from profiler.model import Drain, Labels, ProfileType
from profiler.session import Progress, State
from profiler.timerange import SECOND
from profiler.wire.limits import LABELS

DRAIN_NS = SECOND
"""Often enough that samples meet the mappings that they were taken in, and that who asked sees how
it goes."""

LOOK_SECONDS = 0.05
"""Between two looks at whether its time is over."""

logger = logging.getLogger(__name__)


class Session:
    """Samples into `exporter`, and says there how it stands. `taken` counts its samples."""

    def __init__(
        self, request: Request, limits: Limits, node: Node, exporter: Exporter, clock: Clock
    ) -> None:
        self.taken = 0
        self.state: State | None = None
        self._request = request
        self._limits = limits
        self._node = node
        self._exporter = exporter
        self._clock = clock
        self._type = ProfileType(session.profile_type(request.event.name), request.event.type.unit)
        self._source: Source | None = None
        self._processes = 0
        self._stopping = threading.Event()
        self._stop_reason = ""

    @property
    def children(self) -> list[int]:
        """The processes that read files for it now."""
        source = self._source
        return source.live.children if source else []

    @property
    def spent_ns(self) -> int:
        """The time that its program took in the kernel."""
        source = self._source
        return source.live.spent_ns if source else 0

    def stop(self, reason: str) -> None:
        self._stop_reason = reason
        self._stopping.set()

    def refuse(self, reason: str) -> None:
        self._say(State.REFUSED, reason)

    def run(self, opened: Open) -> None:
        """Returns when its last batch is in the exporter's hands. Never raises."""
        try:
            with opened(self._request, self._node) as source:
                self._source, self._processes = source, source.processes
                self._sample(source)
        except ProfilerError as error:
            self._fail(str(error))
        except Exception:
            logger.exception("session %s failed", self._request.session)
            self._fail("a mistake of the collector, whose log says more")

    def _fail(self, reason: str) -> None:
        if self.state in (None, State.RUNNING):
            self._say(State.REFUSED if self.state is None else State.CUT, reason)

    def _sample(self, source: Source) -> None:
        sampler = source.sampler
        self._say(State.RUNNING)
        duration_ns = min(self._request.duration_ns, self._limits.duration_ns)
        # In a thread of its own: to name what was taken may last a second.
        end = threading.Timer(duration_ns / SECOND, source.stop)
        end.daemon = True
        end.start()
        try:
            while not self._stopping.is_set() and not sampler.stopped:
                until_ns = self._clock.monotonic_ns() + DRAIN_NS
                while not sampler.stopped and not self._stopping.wait(LOOK_SECONDS):
                    if self._clock.monotonic_ns() >= until_ns:
                        self._keep(source.live.drain(), State.RUNNING)
                        break
        finally:
            end.cancel()
        ended_early = not sampler.stopped
        source.stop()
        state, reason = self._outcome(ended_early, duration_ns)
        self._keep(source.live.drain(), state, reason)

    def _outcome(self, ended_early: bool, duration_ns: int) -> tuple[State, str]:
        if ended_early:
            return State.CUT, self._stop_reason
        if duration_ns < self._request.duration_ns:
            seconds = duration_ns / SECOND
            return State.CUT, f"this node samples for {seconds:g} s at most"
        return State.DONE, ""

    def _say(self, state: State, reason: str = "") -> None:
        empty = Drain(self._node.labelling.host_name, self._clock.now_ns(), 0, 0)
        self._keep([empty], state, reason)

    def _keep(self, drains: Sequence[Drain], state: State, reason: str = "") -> None:
        (drain,) = drains  # a session is of one event
        self.taken += drain.taken
        self.state = state
        progress = Progress(self._request.session, state, reason, self._processes)
        self._exporter.export(_of_session(drain, self._type, progress))


def _of_session(drain: Drain, type: ProfileType, progress: Progress) -> Drain:
    profiles = tuple(
        replace(profile, type=type, labels=_labels(profile.labels, progress.session))
        for profile in drain.profiles
    )
    return replace(drain, type=type, profiles=profiles, progress=progress)


def _labels(labels: Labels, name: str) -> Labels:
    """With that of the session, within what the wire takes."""
    return tuple(sorted((*labels[: LABELS - 1], (session.LABEL, name))))
