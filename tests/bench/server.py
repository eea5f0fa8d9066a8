"""What the server does in a second, beside the layout of no design: a row a profile and stack.

    python -m tests.bench.server

A fleet of 20 hosts sends 1,000 profiles of 1,000 stacks over gRPC to one server process: one
million entries, drawn from a pool of 20,000 stacks some 30 frames deep, few of them hot and many
rare. Every batch is acknowledged after its commit. The second half of the run repeats the stacks
of the first, so that they are known to their streams. The naive layout stores every profile of
one host and a fifth of the others', with the same durability.
"""

import json
import os
import random
import sqlite3
import statistics
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

import grpc
import numpy as np
from numpy.typing import NDArray

from profiler.analysis import flamegraph
from profiler.formats import folded
from profiler.model import ROOT, Drain, Frame, Profile, ProfileBuilder
from profiler.v1 import ingest_pb2 as pb
from profiler.v1 import ingest_pb2_grpc as rpc
from profiler.wire import StreamEncoder
from tests.builders import PERIOD_NS
from tests.processes import answers, eventually, free_address, running

HOSTS = [f"host-{number}" for number in range(20)]
PROFILES = 50
"""A host's; the second half repeats the stacks of the first."""
STACKS = 1000
POOL_STACKS = 20_000
POOL_FUNCTIONS = 8_000
NAIVE_SHARE = 5
ROUNDS = 7

START_NS = 1_767_225_600_000_000_000
STEP_NS = 10_000_000_000
RANGE = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:15:00Z"}


def main() -> None:
    choose = Chooser()
    drains = {host: list(choose.drains(host)) for host in HOSTS}
    print(f"{len(HOSTS) * PROFILES:,} profiles of {STACKS:,} stacks, {len(HOSTS)} hosts")
    with TemporaryDirectory() as folder:
        ours = measure_server(Path(folder), drains)
        naive = measure_naive(Path(folder) / "naive.db", drains)
    for stacks in ("new", "known"):
        show(f"ingest, {stacks} stacks", ours[stacks], "entries/s", naive["ingest"])
        show(
            "  a second of the server's CPU", ours[f"{stacks} cpu"], "entries", naive["ingest cpu"]
        )
    show("size with everything", ours["bytes"], "bytes/entry", naive["bytes"])
    show("flamegraph of 1 host, 15 min", ours["one"], "ms", naive["one"])
    show(f"flamegraph of {len(HOSTS)} hosts", ours["all"], "ms")


class Chooser:
    """Profiles drawn from one pool of stacks."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(1)
        self._pool, leaves = _pool()
        self._leaves = self._random.permutation(leaves)
        weights = 1 / (np.arange(len(leaves)) + 4) ** 1.07
        self._weights = weights / weights.sum()

    def drains(self, host: str) -> Iterator[Drain]:
        first = [self._profile(host) for _ in range(PROFILES // 2)]
        for number, profile in enumerate(first * 2):
            start_ns = START_NS + number * STEP_NS
            yield Drain(host, start_ns, STEP_NS, profile.total_samples, profiles=(profile,))

    def _profile(self, host: str) -> Profile:
        pool = self._pool
        chosen = self._random.choice(self._leaves, STACKS, replace=False, p=self._weights)
        nodes = _with_callers(pool.parents, chosen)
        samples = np.zeros(len(nodes), np.int64)
        samples[np.searchsorted(nodes, chosen)] = self._random.geometric(0.6, len(chosen))
        parents = np.searchsorted(nodes, pool.parents[nodes]).astype(np.int32)
        parents[ROOT] = -1
        used, frames = np.unique(pool.node_frames[nodes[1:]], return_inverse=True)
        return Profile(
            frames=tuple(pool.frames[frame] for frame in used.tolist()),
            parents=parents,
            node_frames=np.concatenate([[-1], frames]).astype(np.int32),
            samples=samples,
            values=samples * PERIOD_NS,
            period=PERIOD_NS,
            labels=(("host_name", host), ("service_name", "checkout")),
        )


def _pool() -> tuple[Profile, NDArray[np.intp]]:
    """A tree of about 1.8 nodes a stack, as real services have, and the leaves of its stacks."""
    choose = random.Random(1)
    frames = tuple(
        Frame(f"namespace::Class{number % 700}::method_{number}", f"src/file_{number % 900}.cc")
        for number in range(POOL_FUNCTIONS)
    )
    builder = ProfileBuilder()
    stacks = [tuple(choose.choices(frames, k=choose.randint(8, 20))) for _ in range(12)]
    while len(stacks) < POOL_STACKS:
        path = choose.choice(stacks)
        path = path[: len(path) - choose.randint(0, 2)]
        while choose.random() < 0.7 or len(path) < 8:
            path = (*path, choose.choice(frames))
        stacks.append(path)
        builder.add(path, 1)
    pool = builder.build()
    return pool, np.flatnonzero(pool.samples)


def _with_callers(parents: NDArray[np.int32], level: NDArray[np.intp]) -> NDArray[np.intp]:
    kept = np.zeros(len(parents), bool)
    while len(level):
        kept[level] = True
        level = np.unique(np.maximum(parents[level], ROOT))
        level = level[~kept[level]]
    return np.flatnonzero(kept)


def measure_server(folder: Path, drains: dict[str, list[Drain]]) -> dict[str, float]:
    http, address = free_address(), free_address()
    file, log = folder / "ours.db", folder / "log"
    options = (
        "--http",
        http,
        "--grpc",
        address,
        "--database",
        f"sqlite:///{file}",
        "--no-maintain",
    )
    with running("serve", *options, log=log) as server:
        eventually(lambda: answers(f"http://{http}/readyz"), "the server answers", log=log)
        streams = [
            Stream(address, batches(number, drains[host])) for number, host in enumerate(HOSTS)
        ]
        half = PROFILES // 2
        (new, new_cpu), (known, known_cpu) = (
            send(streams, part, server.pid) for part in (slice(half), slice(half, None))
        )
        one, everything = (
            median_ms(lambda query=query: fetch(http, query))  # type: ignore[misc]
            for query in ('cpu{host_name="host-0"}', "cpu")
        )
        for stream in streams:
            stream.close()
    entries = len(HOSTS) * PROFILES * STACKS
    size = file.stat().st_size  # the server has closed it, so nothing is left in the WAL
    return {
        "new": new,
        "new cpu": new_cpu,
        "known": known,
        "known cpu": known_cpu,
        "bytes": size / entries,
        "one": one,
        "all": everything,
    }


def batches(number: int, drains: Sequence[Drain]) -> list[pb.Batch]:
    """The first half of the drains, and the same later."""
    encoder, half = StreamEncoder(), len(drains) // 2
    new = [
        encoder.encode(drain, number.to_bytes(16, "big"), sequence)
        for sequence, drain in enumerate(drains[:half])
    ]
    return new + [repeated(batch, half, STEP_NS) for batch in new]


class Stream:
    """A collector's stream, its batches encoded beforehand."""

    def __init__(self, address: str, batches: Sequence[pb.Batch]) -> None:
        self.batches = batches
        self._channel = grpc.insecure_channel(address)
        self._queue = SimpleQueue[pb.Batch | None]()
        self._acks = rpc.IngestServiceStub(self._channel).Ingest(iter(self._queue.get, None))

    def send(self, part: slice) -> None:
        """Returns when all of them are acknowledged."""
        for batch in self.batches[part]:
            self._queue.put(batch)
        for _ in self.batches[part]:
            next(self._acks)

    def close(self) -> None:
        self._queue.put(None)
        self._channel.close()


def repeated(batch: pb.Batch, steps: int, step_ns: int) -> pb.Batch:
    """The same samples later; the stream knows their stacks by now."""
    later = pb.Batch()
    later.CopyFrom(batch)
    later.ClearField("additions")
    later.sequence += steps
    later.accounts.start_ns += steps * step_ns
    return later


def send(streams: Sequence[Stream], part: slice, server: int) -> tuple[float, float]:
    """Entries a second, and a CPU second of the process `server`, of all streams at once."""
    started, cpu_started = time.perf_counter(), cpu_seconds(server)
    with ThreadPoolExecutor(len(streams)) as pool:
        list(pool.map(lambda stream: stream.send(part), streams))
    entries = sum(len(stream.batches[part]) for stream in streams) * STACKS
    cpu = cpu_seconds(server) - cpu_started
    return entries / (time.perf_counter() - started), entries / cpu


def cpu_seconds(process: int) -> float:
    """User and system time, the 14th and 15th field of proc(5)'s stat."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fetch(http: str, query: str) -> None:
    parameters = urllib.parse.urlencode({"query": query, **RANGE})
    with urllib.request.urlopen(f"http://{http}/api/v1/flamegraph?{parameters}") as response:
        response.read()


def measure_naive(file: Path, drains: dict[str, list[Drain]]) -> dict[str, float]:
    rows = [
        (host, drain.start_ns, folded.dumps(drain.profiles[0]).decode().splitlines())
        for host, sent in drains.items()
        for drain in (sent if host == HOSTS[0] else sent[::NAIVE_SHARE])
    ]
    with sqlite3.connect(file, isolation_level=None) as database:
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("CREATE TABLE sample (host, t0, stack, samples)")
        database.execute("CREATE INDEX by_host ON sample (host, t0)")
        started, cpu_started = time.perf_counter(), time.process_time()
        for host, start_ns, lines in rows:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "INSERT INTO sample VALUES (?, ?, ?, ?)",
                ((host, start_ns, *line.rsplit(" ", 1)) for line in lines),
            )
            database.execute("COMMIT")
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
        one = median_ms(lambda: _naive_flamegraph(database))
    database.close()
    entries = sum(len(lines) for _, _, lines in rows)
    size = sum(path.stat().st_size for path in file.parent.glob("naive.db*"))
    return {
        "ingest": entries / seconds,
        "ingest cpu": entries / cpu,
        "bytes": size / entries,
        "one": one,
    }


def _naive_flamegraph(database: sqlite3.Connection) -> None:
    rows = database.execute(
        "SELECT stack, sum(samples) FROM sample WHERE host = ? AND t0 >= ? AND t0 < ? "
        "GROUP BY stack",
        (HOSTS[0], START_NS, START_NS + 900 * 1_000_000_000),
    )
    text = "".join(f"{stack} {samples}\n" for stack, samples in rows)
    graph = flamegraph.build(folded.loads(text.encode()))
    json.dumps([graph.depth.tolist(), graph.frame.tolist(), graph.totals.tolist()])


def median_ms(work: Callable[[], None]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def show(name: str, value: float, unit: str, naive: float | None = None) -> None:
    """`naive` is what the naive layout does; the ratio says how many times better we are."""
    beside = ""
    if naive is not None:
        ratio = value / naive if unit.startswith("entries") else naive / value
        beside = f"   naive {naive:12,.1f}   {ratio:8.1f} x"
    print(f"  {name:30} {value:12,.1f} {unit:12}{beside}")


if __name__ == "__main__":
    main()
