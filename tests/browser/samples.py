"""What the served database holds: ten minutes of two hosts, read off the screen.

`cpu{service_name="checkout"}` is small enough to reckon with by hand; `huge` has more nodes than
the page is sent, `wide` more than can be drawn side by side.
"""

from collections.abc import Iterator
from dataclasses import replace

from profiler.model import Drain, Frame, Kind, Profile, ProfileBuilder
from tests.builders import PERIOD_NS, random_profile

SECOND = 1_000_000_000
STEP = 10 * SECOND
START = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z"""
STEPS = 60
END = START + STEPS * STEP

RING_FULL = 7
"""Samples lost on host b, in its first drain."""

THIN = 3000
"""Functions with a sample each in `wide`: a third of a pixel each where the graph has 1,200."""

_CHECKOUT = "/usr/bin/checkout"
_SOURCE = "/src/checkout/cart.cc"
MAIN = Frame("main", _SOURCE, 12, _CHECKOUT, "c0ffee", 0x1000)
TOTAL = Frame("checkout::Cart::total(int) const", _SOURCE, 40, _CHECKOUT, "c0ffee", 0x2000)
WALK = Frame("walk", _SOURCE, 77, _CHECKOUT, "c0ffee", 0x3000)
HASH = Frame("hash_lookup", "/src/checkout/hash.cc", 9, _CHECKOUT, "c0ffee", 0x4000)
NAMELESS = Frame("[unknown] libpay.so+0x1234", "", 0, "/opt/libpay.so", "beef", 0x1234)
PYTHON = Frame("<module>", "/app/report.py", 3, "/usr/bin/python3", "", 0, Kind.PYTHON)
READ = Frame("vfs_read", "", 0, "[kernel]", "", 0xFFFF0000, Kind.KERNEL)
COPY = Frame("copy_page_to_iter", "", 0, "[kernel]", "", 0xFFFF1000, Kind.KERNEL)
CUT = Frame("[truncated: depth]", kind=Kind.MARKER)


def _thread(name: str) -> Frame:
    return Frame(name, kind=Kind.THREAD)


CHECKOUT = (
    ((_thread("checkout"), MAIN, TOTAL, WALK, WALK, HASH), 30),
    ((_thread("checkout"), MAIN, TOTAL, WALK, READ, COPY), 10),
    ((_thread("checkout"), MAIN, TOTAL), 5),
    ((_thread("checkout"), MAIN, HASH), 4),
    ((_thread("checkout"), MAIN, NAMELESS), 3),
    ((_thread("pay-worker"), CUT, WALK), 2),
)
"""Stacks of one drain of the service `checkout`: 54 samples."""


def _profile(service: str, stacks: tuple[tuple[tuple[Frame, ...], int], ...], host: str) -> Profile:
    builder = ProfileBuilder()
    for stack, samples in stacks:
        builder.add(stack, samples, samples * PERIOD_NS)
    labels = (("host_name", host), ("service_name", service))
    return builder.build(period=PERIOD_NS, labels=labels)


def _report(host: str) -> Profile:
    return _profile("report", (((_thread("python3"), PYTHON, READ), 8),), host)


def drain(host: str, start_ns: int, *profiles: Profile, lost: int = 0) -> Drain:
    """Ten seconds whose accounts close."""
    taken = sum(profile.total_samples for profile in profiles) + lost
    losses = {"ring_full": lost} if lost else {}
    return Drain(host, start_ns, STEP, taken, losses, profiles)


def _drains() -> Iterator[Drain]:
    for step in range(STEPS):
        start_ns = START + step * STEP
        yield drain("a", start_ns, _profile("checkout", CHECKOUT, "a"), _report("a"))
        if step % 2 == 0:
            yield drain("b", start_ns, _report("b"), lost=0 if step else RING_FULL)


def _huge() -> Profile:
    made = random_profile(60_000, functions=3_000)
    labels = (("host_name", "c"), ("service_name", "huge"))
    return replace(made, labels=labels)


HUGE = _huge()


def _wide() -> Drain:
    builder = ProfileBuilder()
    main, loop = Frame("main"), Frame("loop")
    builder.add((main, Frame("work")), THIN, THIN * PERIOD_NS)
    for number in range(THIN):
        builder.add((main, loop, Frame(f"callback_{number:04}")), 1, PERIOD_NS)
    labels = (("host_name", "c"), ("service_name", "wide"))
    return drain("c", START + STEP, builder.build(period=PERIOD_NS, labels=labels))


def _replayed() -> Drain:
    builder = ProfileBuilder()
    builder.add((_thread("old"), MAIN), 3, 3 * PERIOD_NS)
    labels = (("host_name", "d"), ("profiler_recorded", "true"), ("service_name", "old"))
    return drain("d", START, builder.build(period=PERIOD_NS, labels=labels))


DRAINS = (*_drains(), drain("c", START, HUGE), _wide(), _replayed())
