"""What a drain costs on its way from the symbols to the wire, and how many bytes a sample.

    python -m tests.bench.delivery

A busy node: 20 series of 100 stacks each; every drain finds nine stacks of ten of the one before
it again. Beside it stands the way of no design: every drain as folded text.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from collector.delivery.spool import Spool
from profiler.formats import folded
from profiler.model import Drain, Frame, Profile, ProfileBuilder
from profiler.wire import StreamDecoder, StreamEncoder, decode, encode
from tests.builders import PERIOD_NS, random_profile

SERIES = 20
STACKS = 100
NEW_STACKS = 10
DRAINS = 15
COLLECTOR_ID = bytes(16)

Given = TypeVar("Given")
Made = TypeVar("Made")


def main() -> None:
    drains = chosen_drains(random.Random(1))
    samples = sum(drain.taken for drain in drains) // DRAINS
    print(f"{SERIES} series of {STACKS} stacks, {samples:,} samples a drain; median of {DRAINS}")
    alone = measure("encode, explaining itself", lambda d: encode(d, COLLECTOR_ID, 1), drains)
    measure("decode it", decode, alone)
    with TemporaryDirectory() as directory, Spool(Path(directory)) as spool:
        measure("encode, compress, sync to disk", spool.append, drains)
        spooled = spool.size_bytes / DRAINS
        measure("read it back", spool.read, range(1, DRAINS + 1))
    sender, receiver = StreamEncoder(), StreamDecoder()
    sent = measure("encode on a stream", lambda d: sender.encode(d, COLLECTOR_ID, 1), drains)
    measure("check it on the server", receiver.decode, sent)
    text = measure("(folded text)", as_text, drains)
    show("first on a stream", sent[0].ByteSize(), samples)
    show("later on a stream", statistics.median(batch.ByteSize() for batch in sent[1:]), samples)
    show("explaining itself", statistics.median(batch.ByteSize() for batch in alone), samples)
    show("in the spool", spooled, samples)
    show("(folded text)", statistics.median(map(len, text)), samples)


def chosen_drains(choose: random.Random) -> list[Drain]:
    """Stacks of each series, some replaced from drain to drain."""
    pools = [list(random_profile(4000, 2000, seed).stacks()) for seed in range(SERIES)]
    hot = [choose.sample(pool, STACKS) for pool in pools]
    drains = []
    for number in range(DRAINS):
        for stacks, pool in zip(hot, pools, strict=True):
            stacks[:] = choose.sample(stacks, STACKS - NEW_STACKS) + choose.sample(pool, NEW_STACKS)
        profiles = tuple(profile(series, stacks) for series, stacks in enumerate(hot))
        taken = sum(profile.total_samples for profile in profiles)
        drains.append(Drain("node", number * 10**10, 10**10, taken, profiles=profiles))
    return drains


def profile(series: int, stacks: Sequence[tuple[tuple[Frame, ...], int, int]]) -> Profile:
    builder = ProfileBuilder()
    for stack, count, _ in stacks:
        builder.add(stack, count, count * PERIOD_NS)
    return builder.build(
        period=PERIOD_NS, labels=(("host_name", "node"), ("service_name", f"service-{series}"))
    )


def as_text(drain: Drain) -> bytes:
    return b"".join(map(folded.dumps, drain.profiles))


def measure(name: str, work: Callable[[Given], Made], inputs: Sequence[Given]) -> list[Made]:
    """What `work` makes of each input; prints the median time."""
    made, times_us = [], []
    for given in inputs:
        started = time.perf_counter()
        made.append(work(given))
        times_us.append((time.perf_counter() - started) * 1e6)
    print(f"  {name:32} {statistics.median(times_us):8,.0f} us a drain")
    return made


def show(name: str, size: float, samples: int) -> None:
    print(f"  {name:32} {size:8,.0f} bytes, {size / samples:.1f} a sample")


if __name__ == "__main__":
    main()
