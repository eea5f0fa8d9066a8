"""This machine for `profiler top`: sampled by the command itself."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from collector.config import cache_folder
from collector.kernel.process_events import ProcessEvents
from collector.kernel.sampler import Sampler
from collector.kernel.sampling import Sampling
from collector.labels.labeller import Labelling
from collector.processes.procfs import ProcFs
from collector.sources.live import LiveSource
from collector.sources.unwinding import ATTENTIVE_REST_SECONDS, PATIENCE_SECONDS
from collector.symbols.symbolizer import Symbolizer
from profiler.analysis import forest, tree
from profiler.analysis.top import functions
from profiler.errors import UnavailableError
from profiler.model import Drain
from profiler.timerange import SECOND

MOST_ROWS = 200


@contextmanager
def local(
    pid: int | None, frequency_hz: int, window_ns: int
) -> Iterator[Callable[[str], Mapping[str, Any]]]:
    """Samples all that runs here, or one process and what it starts; each call drains, and tells of
    the drains that lie in the window."""
    sampler = Sampler(
        frequency_hz=frequency_hz,
        target=None if pid is None else [pid],
        call_graph="auto",
    )
    source = LiveSource(
        Sampling([sampler]),
        ProcessEvents(),
        Symbolizer(Labelling("this machine")),
        "this machine",
        cache_folder("unwind"),
        py_spy=False,  # it takes seconds to say anything
        rest_seconds=ATTENTIVE_REST_SECONDS,
        last_patience_seconds=PATIENCE_SECONDS,
    )
    kept: deque[Drain] = deque()

    def look(sort: str) -> Mapping[str, Any]:
        kept.extend(source.drain())
        while len(kept) > 1 and sum(drain.duration_ns for drain in kept) > window_ns:
            kept.popleft()
        if pid is not None and ProcFs().stat(pid) is None and not kept[-1].taken:
            raise UnavailableError(f"process {pid} has ended")
        return _answer(kept, by_total=sort == "total")

    with source:
        yield look


def _answer(drains: deque[Drain], *, by_total: bool) -> Mapping[str, Any]:
    """As the server's API has it."""
    trees = forest.of(tree.merge([profile for drain in drains for profile in drain.profiles]))
    found = functions(trees, MOST_ROWS, by_total=by_total)
    value, samples = trees.total
    losses: Counter[str] = Counter()
    for drain in drains:
        losses.update(drain.losses)
    return {
        "unit": trees.type.unit,
        "total": {"value": value, "samples": samples},
        "functions": [cost.row for cost in found.functions],
        "accounts": {
            "taken": sum(drain.taken for drain in drains),
            "losses": [{"cause": cause, "samples": n} for cause, n in losses.most_common()],
        },
        "coverage": {"hosts": 1},
        "seconds": sum(drain.duration_ns for drain in drains) / SECOND,
    }
