"""What a server takes in a second, over gRPC, acknowledged after the commit, on one core.

Hosts that run all services send a batch a minute; the server's process is held on one CPU, the
senders are on another. Stateless: each batch explains itself, on a stream of its own. Known: the
streams carry the same stacks again, as numbers.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import grpc
import numpy as np
from numpy.typing import NDArray

from profiler.model import ROOT, Drain, Profile
from profiler.v1 import ingest_pb2 as pb
from profiler.v1 import ingest_pb2_grpc as rpc
from profiler.wire import StreamEncoder, encode
from server.store.codec import Entries
from tests.bench import fleet
from tests.bench.fleet import MINUTE_NS, PERIOD_NS, Pool
from tests.bench.server import Stream, cpu_seconds, repeated
from tests.bench.stored import host_name
from tests.processes import answers, eventually, free_address, running

HOSTS = 20
MINUTES = 4
REPEATS, ROUNDS = 24, 4


@dataclass(frozen=True, slots=True)
class Rate:
    """Entries a second, and of the server's CPU time."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Arrived:
    stateless: Rate
    new: Rate
    known: Rate
    single: Rate
    """Known, of batches with one series each."""


def measure(pools: Sequence[Pool], databases: Sequence[str], folder: Path) -> Arrived:
    """`databases` are two, both empty."""
    drains = [list(_drains(pools, host)) for host in range(HOSTS)]
    alone = [[_first_alone(drain) for drain in sent] for sent in drains]
    with _serving(databases[0], folder) as (address, server):
        batches = [
            encode(drain, _collector(host), number)
            for host, sent in enumerate(drains)
            for number, drain in enumerate(sent)
        ]
        entries = sum(map(_entries, batches))
        stateless = _rate(lambda: _send_alone(address, batches), entries, server)
    with _serving(databases[1], folder) as (address, server):
        new, known = _streams(address, server, drains, 0)
        _, single = _streams(address, server, alone, HOSTS)
    return Arrived(stateless, new, known, single)


def _streams(
    address: str, server: int, drains: Sequence[Sequence[Drain]], first: int
) -> tuple[Rate, Rate]:
    """With stacks that are new to the streams, then with known ones, the best of several rounds."""
    streams = []
    for number, sent in enumerate(drains, first):
        encoder = StreamEncoder()
        new = [encoder.encode(drain, _collector(number), at) for at, drain in enumerate(sent)]
        later = [repeated(b, n * len(new), MINUTE_NS) for n in range(1, REPEATS + 1) for b in new]
        streams.append(Stream(address, [*new, *later]))
    rates = []
    first_known, step = len(drains[0]), len(drains[0]) * REPEATS // ROUNDS
    parts = [slice(first_known)]
    parts += [slice(first_known + n * step, first_known + (n + 1) * step) for n in range(ROUNDS)]
    for part in parts:
        entries = sum(_entries(batch) for stream in streams for batch in stream.batches[part])
        with ThreadPoolExecutor(len(streams)) as pool:
            send = lambda part=part: list(pool.map(lambda s: s.send(part), streams))  # noqa: E731
            rates.append(_rate(send, entries, server))
    for stream in streams:
        stream.close()
    return rates[0], max(rates[1:], key=attrgetter("wall"))


@contextmanager
def _serving(database: str, folder: Path) -> Iterator[tuple[str, int]]:
    """The gRPC address and process of a server on one CPU; the senders are on the others."""
    http, address, log = free_address(), free_address(), folder / "serve.log"
    cpus = os.sched_getaffinity(0)
    server_cpu = {min(cpus)}
    options = ("--http", http, "--grpc", address, "--database", database, "--no-maintain")
    os.sched_setaffinity(0, server_cpu)  # its children begin there
    try:
        with running("serve", *options, log=log) as server:
            os.sched_setaffinity(0, cpus - server_cpu or cpus)
            eventually(lambda: answers(f"http://{http}/readyz"), "the server answers", log=log)
            yield address, server.pid
    finally:
        os.sched_setaffinity(0, cpus)


def _rate(work: Callable[[], object], entries: int, server: int) -> Rate:
    started, cpu_started = time.perf_counter(), cpu_seconds(server)
    work()
    seconds, cpu = time.perf_counter() - started, cpu_seconds(server) - cpu_started
    return Rate(entries / seconds, entries / max(cpu, 0.01))


def _send_alone(address: str, batches: Sequence[pb.Batch]) -> None:
    with grpc.insecure_channel(address) as channel, ThreadPoolExecutor(HOSTS) as pool:
        ingest = rpc.IngestServiceStub(channel).Ingest
        list(pool.map(lambda batch: list(ingest(iter([batch]))), batches))


def _drains(pools: Sequence[Pool], host: int) -> Iterator[Drain]:
    hours = [(pool, pool.hour(host, 12)) for pool in pools]
    for minute in range(MINUTES):
        profiles = tuple(_profile(pool, host, fleet.profiles(hour)[minute]) for pool, hour in hours)
        start_ns = int(hours[0][1].times.t0_ns[minute])
        taken = sum(profile.total_samples for profile in profiles)
        yield Drain(host_name(host), start_ns, MINUTE_NS, taken, profiles=profiles)


def _first_alone(drain: Drain) -> Drain:
    """With the first series alone, on a host of its own."""
    first = drain.profiles[0]
    return Drain(
        f"{drain.host_name}-alone",
        drain.start_ns,
        drain.duration_ns,
        first.total_samples,
        profiles=(first,),
    )


def _profile(pool: Pool, host: int, entries: Entries) -> Profile:
    kept = np.zeros(len(pool.parents), bool)
    kept[ROOT] = True
    level: NDArray[np.integer] = entries.nodes
    while len(level):
        kept[level] = True
        level = pool.parents[level]
        level = np.unique(level[~kept[level]])
    nodes = np.flatnonzero(kept)
    parents = np.searchsorted(nodes, pool.parents[nodes]).astype(np.int32)
    parents[ROOT] = -1
    used, frames = np.unique(pool.node_frames[nodes[1:]], return_inverse=True)
    samples = np.zeros(len(nodes), np.int64)
    samples[np.searchsorted(nodes, entries.nodes)] = entries.samples
    return Profile(
        frames=tuple(pool.frames[frame] for frame in used.tolist()),
        parents=parents,
        node_frames=np.concatenate([[-1], frames]).astype(np.int32),
        samples=samples,
        values=samples * PERIOD_NS,
        period=PERIOD_NS,
        labels=(("host_name", host_name(host)), ("service_name", pool.service)),
    )


def _entries(batch: pb.Batch) -> int:
    return sum(len(profile.stacks) // 4 for profile in batch.profiles)


def _collector(number: int) -> bytes:
    return number.to_bytes(16, "big")
