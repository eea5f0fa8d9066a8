"""A server that is fed for long and asked all the time: does its memory stay flat?

    make bench-memory                          # two minutes of feeding, two hours of samples
    make bench-memory ARGS="--seconds 600 --svg docs/images/memory.svg"

20 hosts with 20 services, 400 series, send a drain each 10 seconds, and time passes 60 times as
fast: 120 batches, 2,400 profiles of 100 stacks a second. The drains are of the past and end now, so
that the server, a real `profiler serve`, compacts and sums up what is over. Meanwhile questions are
asked in turns: q1, a host over 15 minutes; q2, a service over 24 hours; q3, everything over 7 days.
"""

import argparse
import random
import statistics
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from profiler.model import Drain, Frame, ProfileBuilder
from profiler.v1 import ingest_pb2 as pb
from profiler.wire import StreamEncoder
from tests.bench import plot, proc
from tests.bench.plot import Panel, Points
from tests.bench.report import Figure, Report, report
from tests.builders import PERIOD_NS, random_profile
from tests.processes import answers, eventually, free_address, running
from tests.server import client

HOSTS, SERVICES, STACKS = 20, 20, 100
DIFFERENT = 6
"""Drains of a host, which are then repeated at other times."""

STEP_NS = 10_000_000_000
SPEED = 60
SECONDS = 120.0

ASK_SECONDS = 3.0
"""Between two turns of questions."""

MAX_GROWTH = 1.1
"""Of memory, from the second quarter of the run to the last."""

Stacks = list[tuple[Frame, ...]]

QUESTIONS = {
    "q1": ('cpu{host_name="host-7"}', "15m"),
    "q2": ('cpu{service_name="service-3"}', "24h"),
    "q3": ("cpu", "7d"),
}


def main(arguments: Sequence[str] = ()) -> None:
    options = parsed(arguments)
    with TemporaryDirectory() as name, report("bench-memory") as kept:
        found = measure(Path(name), options.seconds)
        summarize(found, kept)
    if options.svg:
        options.svg.write_text(plot.svg(panels(found)))
        print(f"drawn: {options.svg}")


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-memory")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of feeding")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw what was measured")
    return parser.parse_args(arguments)


@dataclass
class Found:
    """Over time, in seconds since the start: MiB, and milliseconds by question."""

    memory: list[tuple[float, float]] = field(default_factory=list)
    answers: dict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: {name: [] for name in QUESTIONS}
    )
    stored_seconds: float = 0
    seconds: float = 0


def measure(folder: Path, seconds: float) -> Found:
    http, grpc = free_address(), free_address()
    database, log = f"sqlite:///{folder}/profiler.db", folder / "log"
    serve = ("serve", "--http", http, "--grpc", grpc, "--database", database)
    services = [_stacks(number) for number in range(SERVICES)]
    hosts = [Host(number, services) for number in range(HOSTS)]
    found = Found()
    with ExitStack() as opened:
        server = opened.enter_context(running(*serve, log=log))
        eventually(lambda: answers(f"http://{http}/readyz"), "the server answers", log=log)
        for host in hosts:
            host.stream = opened.enter_context(client.stream(grpc, seconds=10 * seconds))
        started = time.monotonic()
        with (
            repeating(lambda: ask(http, started, found), pause_seconds=ASK_SECONDS),
            repeating(lambda: look(server.pid, started, found), pause_seconds=0.5),
        ):
            rounds = feed(hosts, seconds)
        found.seconds = time.monotonic() - started
    found.stored_seconds = rounds * STEP_NS / 1e9
    return found


class Host:
    """A collector's stream; its batches are encoded beforehand."""

    stream: client.Stream

    def __init__(self, number: int, services: Sequence[Stacks]) -> None:
        encoder, choose = StreamEncoder(), random.Random(number)
        self._batches = [
            encoder.encode(_drain(f"host-{number}", services, choose), bytes([number]) * 16, kind)
            for kind in range(DIFFERENT)
        ]

    def post(self, sequence: int, start_ns: int) -> None:
        """Sends the batch of a time; the stream knows its stacks from the second time on."""
        batch = pb.Batch()
        batch.CopyFrom(self._batches[sequence % DIFFERENT])
        if sequence >= DIFFERENT:
            batch.ClearField("additions")
        batch.sequence = sequence
        batch.accounts.start_ns = start_ns
        self.stream.post(batch)


def _drain(host: str, services: Sequence[Stacks], choose: random.Random) -> Drain:
    profiles = []
    for service, stacks in enumerate(services):
        builder = ProfileBuilder()
        for stack in choose.sample(stacks, STACKS):
            count = 1 + int(choose.paretovariate(1.2))
            builder.add(stack, count, count * PERIOD_NS)
        labels = (("host_name", host), ("service_name", f"service-{service}"))
        profiles.append(builder.build(period=PERIOD_NS, labels=labels))
    taken = sum(profile.total_samples for profile in profiles)
    return Drain(host, 0, STEP_NS, taken, profiles=tuple(profiles))


def _stacks(service: int) -> Stacks:
    """Those of a service, of which a drain has some."""
    made = random_profile(20 * STACKS, functions=2000, seed=service)
    return [tuple(stack) for stack, _, _ in made.stacks()]


def feed(hosts: Sequence[Host], seconds: float) -> int:
    """How many drains each host has sent, as fast as time passes or as the server takes them."""
    rounds = round(seconds * SPEED * 1e9 / STEP_NS)
    first_ns = time.time_ns() - rounds * STEP_NS
    started = time.monotonic()
    for number in range(rounds):
        due = started + number * STEP_NS / 1e9 / SPEED
        time.sleep(max(due - time.monotonic(), 0))
        if time.monotonic() > started + 2 * seconds:
            return number
        for host in hosts:
            host.post(number, first_ns + number * STEP_NS)
        for host in hosts:
            host.stream.answer()
    return rounds


def look(server: int, started: float, found: Found) -> None:
    resident, _ = proc.memory_mb([server])
    found.memory.append((time.monotonic() - started, resident))


def ask(http: str, started: float, found: Found) -> None:
    """Each question once; the range ends where the newest samples are, now."""
    for name, (query, age) in QUESTIONS.items():
        elapsed = time.monotonic() - started
        begun = time.perf_counter()
        parameters = urllib.parse.urlencode({"query": query, "from": f"now-{age}"})
        with urllib.request.urlopen(f"http://{http}/api/v1/flamegraph?{parameters}") as response:
            response.read()
        found.answers[name].append((elapsed, 1000 * (time.perf_counter() - begun)))


@contextmanager
def repeating(work: Callable[[], None], pause_seconds: float) -> Iterator[None]:
    """Does it again and again in a thread of its own until the block ends."""
    stopping = threading.Event()

    def repeat() -> None:
        while not stopping.wait(pause_seconds):
            work()

    with ThreadPoolExecutor(1) as pool:
        repeated = pool.submit(repeat)
        try:
            yield
        finally:
            stopping.set()
        repeated.result()


def summarize(found: Found, kept: Report) -> None:
    growth = quarter(found.memory, 3) / quarter(found.memory, 1)
    print(
        f"{found.stored_seconds / 60:.0f} minutes of samples in {found.seconds / 60:.1f} minutes: "
        f"{found.stored_seconds / found.seconds:.0f} times as fast as they were taken"
    )
    print(ROW("", "2nd quarter", "last quarter", "most"))
    for name, points, unit in (
        ("RSS", found.memory, "MiB"),
        *((name, points, "ms") for name, points in found.answers.items()),
    ):
        figures = (quarter(points, 1), quarter(points, 3), max(y for _, y in points))
        print(ROW(f"{name}, {unit}", *(f"{figure:.1f}" for figure in figures)))
        kept.add(Figure("server under load", f"{name} at the end", figures[1], unit))
    kept.add(
        Figure(
            "server under load", "speed", found.stored_seconds / found.seconds, "x", SPEED * 0.98
        ),
        Figure("server under load", "growth of RSS", growth, "x", at_most=MAX_GROWTH),
    )


ROW = "{:<10} {:>12} {:>13} {:>8}".format


def quarter(points: Points, number: int) -> float:
    """The median of the values in a quarter of the run."""
    size = len(points) / 4
    return statistics.median(y for _, y in points[int(number * size) : int((number + 1) * size)])


def panels(found: Found) -> list[Panel]:
    def minutes(points: Points) -> Points:
        return [(x / 60, y) for x, y in points]

    hours = found.stored_seconds / 3600
    return [
        Panel(
            f"Resident memory of a server that takes 400 series, {hours:.1f} h of them, in MiB",
            {"RSS": minutes(found.memory)},
        ),
        Panel(
            "Answers meanwhile, in ms: q1 a host and 15 min, q2 a service and 24 h, q3 all",
            {name: minutes(points) for name, points in found.answers.items()},
            logarithmic=True,
        ),
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
