"""A synthetic fleet in the shape of real ones: the same profiles each time, nothing kept.

A service has a pool of stacks, a prefix tree of 1.8 nodes a stack and about 900 bytes of text a
stack. Few of them are hot and many rare: the weight of the k-th is 1 / (k + 4) ** 1.07. Each host
draws a profile a minute, some 1,000 samples in 680 stacks, more of them by day than by night; a
quarter is drawn from a part of the pool that is hot on that host in that hour alone.

Every host runs the first service, the first hosts run all of them.
"""

import random
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from profiler.model import ROOT, Frame
from server.store.chunk import Chunk, Times
from server.store.codec import Entries, FrameRow
from server.store.hours import HOUR_NS

STACKS = (20_000, 40_000, 60_000, 100_000)
"""In the pools of the services, in turns."""
PERIOD_NS = 10_101_010
MINUTE_NS = HOUR_NS // 60
MINUTES = 60
FIRST_HOUR = 1_767_225_600 // 3600
"""2026-01-01T00:00:00Z"""

_DRAWN = 1000
_QUANTILES = 1 << 21
_TEXT = (
    "alloc batch cache chunk client codec config cursor data decode dispatch encode entry event "
    "fetch filter flush graph handle index insert layer lookup merge message notify parse pool "
    "proxy query queue reader record region render request resolve route schema serial session "
    "shard signal socket sort source split stream string table token tracker update value visit"
)
_WORDS = _TEXT.split()


@dataclass(frozen=True, slots=True)
class Size:
    """How many hosts run the first service, how many hosts run the others, how many there are."""

    hosts: int = 50
    shared_hosts: int = 4
    services: int = 8
    days: int = 7

    def hosts_of(self, service: int) -> int:
        return self.shared_hosts if service else self.hosts

    def services_of(self, host: int) -> int:
        return self.services if host < self.shared_hosts else 1


@dataclass(frozen=True)
class Pool:
    """The stacks of a service. Nodes are numbered in the order in which stacks are first seen, as
    a log numbers them; node 0 is the root."""

    number: int
    parents: NDArray[np.int32]
    node_frames: NDArray[np.int32]
    stacks: NDArray[np.int32]
    """The node of each."""
    frames: tuple[Frame, ...]
    quantiles: NDArray[np.int32]
    """Stacks, each as often as its weight says."""

    @property
    def service(self) -> str:
        return f"service-{self.number}"

    @cached_property
    def texts(self) -> list[str]:
        """The folded text of each node."""
        names = [frame.function for frame in self.frames]
        texts = [""]
        for parent, frame in zip(self.parents[1:].tolist(), self.node_frames[1:], strict=True):
            texts.append(f"{texts[parent]};{names[frame]}" if parent else names[frame])
        return texts

    @cached_property
    def frame_rows(self) -> list[FrameRow]:
        return [
            (f.function, f.file, f.line, f.binary, f.build_id, f.address, f.kind, f.inlined)
            for f in self.frames
        ]

    def hour(self, host: int, hour: int) -> Chunk:
        """The profiles of one host in one hour, a minute each."""
        choose = np.random.default_rng((self.number, host, hour))
        by_day = 1 + 0.5 * np.sin(2 * np.pi * (hour % 24) / 24)
        drawn = _DRAWN * by_day * np.exp(choose.normal(0, 0.3, MINUTES))
        drawn = np.clip(drawn, 200, 8000).astype(np.int64)
        chosen = self.quantiles[choose.integers(0, _QUANTILES, drawn.sum())]
        own = choose.integers(0, 4, len(chosen)) == 0
        chosen[own] = (chosen[own] + host * 104_729 + hour * 7919) % len(self.stacks)
        keys = np.repeat(np.arange(MINUTES) << 32, drawn) | self.stacks[chosen]
        keys.sort()
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        samples = np.diff(starts, append=len(keys))
        lengths = np.bincount(keys[starts] >> 32, minlength=MINUTES)
        times = Times(
            t0_ns=(FIRST_HOUR + hour) * HOUR_NS + np.arange(MINUTES) * MINUTE_NS,
            duration_ns=np.full(MINUTES, MINUTE_NS),
            samples=drawn,
            values=drawn[:0],
            lengths=lengths,
        )
        return Chunk(times, Entries(keys[starts] & 0xFFFFFFFF, samples, samples[:0]))


def pools(services: int) -> list[Pool]:
    return [_pool(number, STACKS[number % len(STACKS)]) for number in range(services)]


def profiles(chunk: Chunk) -> list[Entries]:
    """The entries of each profile."""
    cuts = np.cumsum(chunk.times.lengths)[:-1]
    columns = (chunk.entries.nodes, chunk.entries.samples)
    parts = zip(*(np.split(column, cuts) for column in columns), strict=True)
    return [Entries(nodes, samples, samples[:0]) for nodes, samples in parts]


def _pool(number: int, stacks: int) -> Pool:
    choose = random.Random(number)
    frames = _frames(choose, number, 1500 + stacks // 20)
    parents, node_frames, leaves = _tree(choose, len(frames), stacks)
    weights = np.random.default_rng(number).permutation(1 / (np.arange(stacks) + 4) ** 1.07)
    quantiles = np.searchsorted(np.cumsum(weights / weights.sum()), _steps()).astype(np.int32)
    # Who is drawn first, when each is drawn at random moments, as often as its weight says.
    first_seen = np.argsort(np.random.default_rng(number).exponential(size=stacks) / weights)
    order = _first_seen(parents, np.array(leaves)[first_seen].tolist())
    renumbered = np.zeros(len(parents), np.int32)
    renumbered[order] = np.arange(len(order))
    above = renumbered[np.array(parents)[order]]
    above[ROOT] = -1
    return Pool(
        number,
        above,
        np.array(node_frames, np.int32)[order],
        renumbered[np.array(leaves)],
        frames,
        np.minimum(quantiles, stacks - 1),
    )


def _steps() -> NDArray[np.float64]:
    return (np.arange(_QUANTILES) + 0.5) / _QUANTILES


def _frames(choose: random.Random, service: int, count: int) -> tuple[Frame, ...]:
    word = choose.choice
    names: dict[str, None] = {}
    while len(names) < count:
        kind = word((f"acme::service_{service}::{word(_WORDS)}", f"std::{word(_WORDS)}", "runtime"))
        names[f"{kind}::{word(_WORDS).title()}{word(_WORDS).title()}::{word(_WORDS)}"] = None
    return tuple(
        Frame(name, f"src/{name.split('::')[-2]}.cc", choose.randrange(1, 2000), "service")
        for name in names
    )


def _tree(
    choose: random.Random, frames: int, stacks: int
) -> tuple[list[int], list[int], list[int]]:
    """Parents, frames, and the nodes of the stacks: each stack leaves another one somewhere."""
    parents, node_frames = [-1], [-1]
    children: dict[tuple[int, int], int] = {}

    def grown(node: int, length: int) -> int:
        for _ in range(length):
            key = node, int(frames * choose.random() ** 4)
            if key not in children:
                children[key] = len(parents)
                parents.append(key[0])
                node_frames.append(key[1])
            node = children[key]
        return node

    threads = [grown(ROOT, choose.randint(24, 34)) for _ in range(12)]
    leaves = dict.fromkeys(threads)
    while len(leaves) < stacks:
        length = 1 + (choose.random() < 0.45) + (choose.random() < 0.35)
        leaves[grown(choose.randrange(min(threads), len(parents)), length)] = None
    return parents, node_frames, list(leaves)


def _first_seen(parents: list[int], leaves: list[int]) -> list[int]:
    """All nodes, those above the first leaf first."""
    order = dict.fromkeys([ROOT])
    for leaf in leaves:
        path = []
        while leaf not in order:
            path.append(leaf)
            leaf = parents[leaf]
        order.update(dict.fromkeys(reversed(path)))
    return list(order)
