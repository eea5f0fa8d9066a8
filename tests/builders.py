"""Inputs written so that expected values can be read off the screen.

profile("main;f 3", "main;g 1")
profile("thread:worker;main;do_nanosleep_[k] 2", "thread:worker;[truncated: depth];g 1")
"""

import random

from profiler.model import CPU, Frame, Kind, Labels, Profile, ProfileBuilder, ProfileType

PERIOD_NS = 10_000_000
"""100 Hz, so that values are easy to tell from samples."""


def frame(text: str) -> Frame:
    """`name`, `name_[k]` of the kernel, `thread:name` or a marker `[truncated: cause]`."""
    if text.startswith("thread:"):
        return Frame(text.removeprefix("thread:"), kind=Kind.THREAD)
    if text.endswith("_[k]"):
        return Frame(text.removesuffix("_[k]"), binary="[kernel]", kind=Kind.KERNEL)
    return Frame(text, kind=Kind.MARKER if text.startswith("[truncated") else Kind.NATIVE)


def profile(
    *lines: str,
    type: ProfileType = CPU,
    period: int = PERIOD_NS,
    start_ns: int = 0,
    duration_ns: int = 0,
    labels: Labels = (),
) -> Profile:
    """A profile of folded lines: names joined by `;`, a space, the number of samples."""
    builder = ProfileBuilder()
    for line in lines:
        names, _, count = line.rpartition(" ")
        stack = [frame(name) for name in names.split(";")] if names else []
        builder.add(stack, int(count), int(count) * period)
    return builder.build(
        type, period=period, start_ns=start_ns, duration_ns=duration_ns, labels=labels
    )


def stacks(profile: Profile) -> dict[tuple[str, ...], int]:
    """The samples of each stack, by the names of its frames."""
    counts: dict[tuple[str, ...], int] = {}
    for stack, samples, _ in profile.stacks():
        names = tuple(frame.function for frame in stack)
        counts[names] = counts.get(names, 0) + samples
    return counts


def random_profile(nodes: int, functions: int = 20_000, seed: int = 1) -> Profile:
    """A profile of about `nodes` nodes in the shape of real ones: deep, and heavy at the top."""
    choose = random.Random(seed)
    frames = [
        Frame(f"function_{number}", f"file_{number % 500}.c", number, f"lib{number % 50}.so")
        for number in range(functions)
    ]
    builder = ProfileBuilder()
    stack: list[Frame] = []
    for _ in range(nodes // 4):
        del stack[int(len(stack) * choose.random() ** 0.3) :]
        grow = min(choose.randint(1, 8), 100 - len(stack))
        stack += [frames[int(functions * choose.random() ** 3)] for _ in range(grow)]
        count = 1 + int(choose.paretovariate(1.2))
        builder.add(stack, count, count * PERIOD_NS)
    return builder.build(period=PERIOD_NS)
