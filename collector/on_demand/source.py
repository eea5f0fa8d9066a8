"""What a session samples with, beside the usual profile of its node.

with opened(request, node) as source:
    source.live.drain()
"""

import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from collector.events import AnyClock
from collector.kernel.perf_event import threads_of
from collector.kernel.process_events import ProcessEvents
from collector.kernel.program import DWARF
from collector.kernel.sampler import Sampler
from collector.kernel.sampling import Sampling
from collector.labels.host import host_labels
from collector.labels.labeller import Labelling
from collector.on_demand.request import Request
from collector.processes.procfs import ProcFs
from collector.sources.live import LiveSource
from collector.sources.unwinding import ATTENTIVE_REST_SECONDS, PATIENCE_SECONDS
from collector.symbols.debuginfod import Settings
from collector.symbols.symbolizer import Symbolizer
from profiler.errors import UsageError

NAMING_SECONDS = 1.0
"""In one drain, for files that were not read before."""

LAST_NAMING_SECONDS = 0.5
"""Once the time is over, for the drain that is being named too: who asked waits. What lies in a
file that is not read by then is shown by its address."""

SETTLE_SECONDS = 2.0
"""For container engines and the kubelet to say of which containers the processes are."""

MAX_THREADS = 4096
"""Each takes an event of its own, unless the whole node is meant."""

SPARE_FILES = 512
"""For what the collector opens besides."""


@dataclass(frozen=True, slots=True)
class Node:
    """How the `usual` profile is taken here, None where it is none of this machine; `clock` is the
    event that CPU time is sampled by."""

    usual: LiveSource | None
    labelling: Labelling
    loader: str
    clock: str
    call_graph: str
    debuginfod: Settings | None
    unwind_folder: Path


@dataclass(frozen=True, slots=True)
class Source:
    """Samples while it is open: `processes` of them at the start, 0: the whole node."""

    sampler: Sampler
    live: LiveSource
    processes: int

    def stop(self) -> None:
        """Ends the sampling; what was taken is named in a hurry. From any thread."""
        self.sampler.stop()
        self.live.symbolizer.hurry(LAST_NAMING_SECONDS)


@contextmanager
def opened(request: Request, node: Node) -> Iterator[Source]:
    """Of the processes that match now, and of what they start as far as that matches too. The
    samples of what does not are lost as `excluded`. The files, tables of unwinding and events of
    processes that the usual profile has serve this one too.

    Raises UsageError where nothing matches.
    """
    usual = node.usual
    unwinding = usual.unwinding if usual else None
    labelling = replace(node.labelling, matchers=request.matchers)
    symbolizer = Symbolizer(
        labelling,
        debuginfod=node.debuginfod,
        patience_seconds=NAMING_SECONDS,
        binaries=usual.symbolizer.binaries if usual else None,
    )
    try:
        target = _target(symbolizer, labelling)
    except BaseException:
        symbolizer.close()
        raise
    event = request.event
    sampler = Sampler(
        frequency_hz=event.frequency_hz,
        loader=node.loader,
        event=node.clock if isinstance(event.source, AnyClock) else event,
        call_graph=DWARF if unwinding else node.call_graph,
        target=target,
        shared=unwinding.shared if unwinding else None,
    )
    live = LiveSource(
        Sampling([sampler]),
        usual.events.overheard() if usual else ProcessEvents(),
        symbolizer,
        labelling.host_name,
        node.unwind_folder,
        py_spy=False,  # that of the usual profile is at work on the same processes
        rest_seconds=ATTENTIVE_REST_SECONDS,
        last_patience_seconds=PATIENCE_SECONDS,
        beside=unwinding,
    )
    with live:
        yield Source(sampler, live, len(target or ()))


def _target(symbolizer: Symbolizer, labelling: Labelling) -> list[int] | None:
    """The processes that match; None where all do, those too that are not there yet."""
    of_host = host_labels(labelling.host_name)
    if all(matcher.name in of_host for matcher in labelling.matchers):
        if not all(matcher.matches(of_host[matcher.name]) for matcher in labelling.matchers):
            raise UsageError("no process here matches")
        return None
    found = symbolizer.matching(ProcFs().pids(), SETTLE_SECONDS)
    if not found:
        raise UsageError("no process here matches")
    _make_room(found)
    return found


def _make_room(pids: Sequence[int]) -> None:
    """Raises UsageError where the events would take more files than this process may open."""
    threads = sum(len(threads_of(pid)) for pid in pids)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if threads > min(MAX_THREADS, hard - SPARE_FILES):
        raise UsageError(
            f"{threads} threads match, too many: name fewer processes, or all of a host by "
            "nothing but host_name"
        )
    if soft < threads + SPARE_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (threads + SPARE_FILES, hard))


Open = Callable[[Request, Node], AbstractContextManager[Source]]
