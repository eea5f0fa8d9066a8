"""Drains for the tests of delivery, and the server's sums over what arrived."""

from collections import Counter
from collections.abc import Iterable

from profiler.model import Drain
from tests.builders import PERIOD_NS, profile

SECOND_NS = 1_000_000_000


def drain(number: int, samples: int = 10, ring_full: int = 1, padding: int = 0) -> Drain:
    """The drain of second `number`; `padding` functions that differ from drain to drain."""
    lines = [f"main;work {samples - padding}"]
    lines += [f"main;padding_{number}_{index} 1" for index in range(padding)]
    held = profile(
        *lines,
        period=PERIOD_NS,
        start_ns=number * SECOND_NS,
        duration_ns=SECOND_NS,
        labels=(("host_name", "a"), ("service_name", "s")),
    )
    losses = {"ring_full": ring_full} if ring_full else {}
    return Drain("a", number * SECOND_NS, SECOND_NS, samples + ring_full, losses, (held,))


def held(drains: Iterable[Drain]) -> int:
    return sum(profile.total_samples for drain in drains for profile in drain.profiles)


def losses(drains: Iterable[Drain]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for drain in drains:
        total.update(drain.losses)
    return dict(total)


def taken(drains: Iterable[Drain]) -> int:
    return sum(drain.taken for drain in drains)
