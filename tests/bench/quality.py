"""How good stacks are: whole or not, how deep, named or not."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from profiler.model import Frame, Kind
from tests.bench.named import Files, is_nameable, is_unnamed
from tests.bench.product import Stack
from tests.bench.sampling import cut

SUPPLIED = (Kind.THREAD, Kind.MARKER)


@dataclass(frozen=True, slots=True)
class Quality:
    """Of the samples with a user stack; percentages and means. `unnamed` counts frames of files
    with symbols and the like, `unnamed_of_all` all frames. `cut` has the causes of the others."""

    samples: int
    complete: float
    depth: float
    unnamed: float
    unnamed_of_all: float
    cut: Counter[str]


def user_frames(stack: Stack) -> list[Frame]:
    """Outermost first, with the kernel's left out."""
    return [frame for frame in stack[0] if frame.kind not in (*SUPPLIED, Kind.KERNEL)]


def with_user_stack(stacks: Iterable[Stack]) -> list[Stack]:
    """A thread that is about to end has none any more."""
    return [stack for stack in stacks if user_frames(stack)]


def quality(stacks: Iterable[Stack], files: Files, perf_map: bool) -> Quality:
    stacks = with_user_stack(stacks)
    samples = sum(count for _, count in stacks)
    causes: Counter[str] = Counter()
    depth, frames, unnamed = 0, Counter[bool](), Counter[bool]()
    for stack in stacks:
        count = stack[1]
        causes[cut(stack)] += count
        depth += count * sum(not frame.inlined for frame in user_frames(stack))
        for frame in stack[0]:
            if frame.kind not in SUPPLIED:
                nameable = is_nameable(frame, files, perf_map)
                frames[nameable] += count
                unnamed[nameable] += count * is_unnamed(frame)
    complete = causes.pop("", 0)
    return Quality(
        samples,
        _percent(complete, samples),
        depth / max(samples, 1),
        _percent(unnamed[True], frames[True]),
        _percent(unnamed.total(), frames.total()),
        causes,
    )


def roots(stacks: Iterable[Stack]) -> set[Frame]:
    """The outermost frames of whole stacks, as far as they can be told from others."""
    whole = (stack for stack in with_user_stack(stacks) if not cut(stack))
    outermost = {user_frames(stack)[0] for stack in whole}
    return {frame for frame in outermost if frame.address or not is_unnamed(frame)}


def reaching(stacks: Iterable[Stack], roots: set[Frame]) -> tuple[float, float]:
    """The percentage of stacks that end in one of these roots, and the mean depth."""
    stacks = with_user_stack(stacks)
    samples = sum(count for _, count in stacks)
    reached = sum(count for frames, count in stacks if user_frames((frames, count))[0] in roots)
    deep = sum(
        count * sum(not frame.inlined for frame in user_frames((frames, count)))
        for frames, count in stacks
    )
    return _percent(reached, samples), deep / max(samples, 1)


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
