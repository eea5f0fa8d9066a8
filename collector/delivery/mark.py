"""How far the samples of a collector that runs are in its spool: a file that goes with its end.

One that is there at the start was left by a collector that was killed, or whose machine was. Where
the counters of its kernel programs are still held (collector/kernel/pins.py), what they counted
beyond the mark is lost, to the sample; else nobody can tell how much that is, but since when.

The kill may have come between a batch and the mark. So what is to hold once a batch is in the
spool is written before it, beside the mark, and becomes the mark after it. Whoever finds both
believes the newer one if its batch is there: it cannot have been sent yet.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from collector.kernel.pins import Pins
from profiler.clock import Clock
from profiler.model import Drain, ProfileType
from profiler.timerange import SECOND

CAUSE = "collector_killed"

logger = logging.getLogger(__name__)


class Part(Protocol):
    """What counts samples of a profile type, as a Sampler does."""

    @property
    def counters_fd(self) -> int: ...

    @property
    def counted(self) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True)
class _Standing:
    """Of one profile type: it is in the spool up to `until_ns`, when the counters that are held as
    `pins` had `counted` so much."""

    host_name: str
    unit: str
    until_ns: int
    pins: tuple[int, ...] = ()
    counted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _State:
    """`since_ns` the collector runs; that of the batch `sequence` and all before it."""

    since_ns: int
    sequence: int
    types: Mapping[str, _Standing]


class Mark:
    """`lost` is what the last collector sampled that is in no batch; `unaccounted_ns` lie between
    what it left and the start of this one, where nobody can tell how much it still sampled then.

    `spooled` tells whether the batch of a number is in the spool. The spool calls `stage` before it
    writes a batch and `settle` after it.
    """

    def __init__(
        self, path: Path, clock: Clock, pins: Pins | None, spooled: Callable[[int], bool]
    ) -> None:
        self.unaccounted_ns = 0
        self.lost: tuple[Drain, ...] = ()
        self._path, self._next = path, path.with_name(path.name + ".next")
        self._clock = clock
        self._pins = pins
        self._counted: dict[str, Callable[[], Mapping[str, int]]] = {}
        self._fds: Sequence[int] = ()
        self._held = False
        self._staged = False
        now_ns = clock.now_ns()
        found = self._newest(spooled)
        self._state = found or _State(now_ns, 0, {})
        if found:
            self._account(found, now_ns)
        elif self._write():
            self._turn()

    def follow(self, host_name: str, parts: Mapping[ProfileType, Sequence[Part]]) -> None:
        """What samples from now on, before its first drain. Nothing more is known of the collector
        before, whose losses are in the spool."""
        now_ns = self._clock.now_ns()
        self._counted = {type.name: partial(_sum, counting) for type, counting in parts.items()}
        fds = {part.counters_fd for counting in parts.values() for part in counting}
        self._fds = sorted(fds)
        ids = dict(zip(self._fds, self._hold(), strict=False))  # none where they cannot be held
        types = {
            type.name: _Standing(
                host_name,
                type.unit,
                now_ns,
                tuple([ids[part.counters_fd] for part in counting if ids]),
            )
            for type, counting in parts.items()
        }
        self._state = _State(now_ns, 0, types)
        if not (self._write() and self._turn()):
            self._let_go()

    def stage(self, drain: Drain, sequence: int) -> None:
        """A batch is about to be written. Those of sessions are not expected to go on."""
        if drain.progress is not None:
            return
        name, end_ns = drain.type.name, drain.start_ns + drain.duration_ns
        before = self._state.types.get(name) or _Standing(drain.host_name, drain.type.unit, end_ns)
        counted = self._counted[name]() if name in self._counted else {}
        standing = replace(before, until_ns=end_ns, counted=dict(counted))
        types = {**self._state.types, name: standing}
        self._state = replace(self._state, sequence=sequence, types=types)
        self._staged = self._write()
        if not self._staged:
            self._let_go()

    def settle(self, *, on_disk: bool) -> None:
        """The batch is on disk. Where it is not, it may be stored by the server without ever being
        there, and the mark would know nothing of it: no number is better than a wrong one."""
        if self._staged and on_disk and self._turn():
            self._hold_again()
        elif self._staged:
            self._let_go()
        self._staged = False

    def remove(self) -> None:
        for path in (self._path, self._next):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        self._let_go()

    def _newest(self, spooled: Callable[[int], bool]) -> _State | None:
        """What the collector before left."""
        newer = _read(self._next)
        if newer and spooled(newer.sequence):
            self._turn()
            return newer
        return _read(self._path)

    def _account(self, state: _State, now_ns: int) -> None:
        """Counts what was lost, and the time of what cannot be counted."""
        lost, unknown_ns = [], [] if state.types else [state.since_ns]
        for name, standing in state.types.items():
            final = self._pins.counted(standing.pins) if self._pins else None
            if final is None:
                unknown_ns.append(standing.until_ns)
            else:
                self._counted[name] = partial(Counter, final)
                lost.append(_lost(name, standing, final, now_ns))
        self.lost = tuple([drain for drain in lost if drain.taken])
        if lost:
            numbers = ", ".join(f"{drain.taken:,} samples of {drain.type.name}" for drain in lost)
            seconds = max(drain.duration_ns for drain in lost) / SECOND
            logger.warning(
                "the collector before was killed: %s, of the %.1f s before now, are lost as %s",
                numbers,
                seconds,
                CAUSE,
            )
        if unknown_ns:
            self.unaccounted_ns = max(now_ns - min(unknown_ns), 0)
            logger.warning(
                "the collector before was killed: what it sampled in the last part of the %.1f s"
                " before now is lost, and was not counted",
                self.unaccounted_ns / SECOND,
            )

    def _hold(self) -> tuple[int, ...]:
        if self._pins is None:
            return ()
        try:
            ids = self._pins.hold(self._fds)
        except OSError as error:
            self._fds = ()
            logger.info(
                "should this collector be killed, what that loses will not be counted: "
                "the counters cannot be held in the BPF file system: %s "
                "(mount -t bpf bpf /sys/fs/bpf, or --pins DIR)",
                error,
            )
            return ()
        self._held = True
        return ids

    def _hold_again(self) -> None:
        if self._fds and not self._held:
            self._hold()

    def _let_go(self) -> None:
        if self._pins:
            self._pins.clear()
        self._held = False

    def _write(self) -> bool:
        """Beside the mark. One that a kill cut short says nothing; what a power cut takes back is
        older, and it ends what is held too."""
        try:
            self._next.write_text(json.dumps(asdict(self._state)), "utf-8")
        except OSError:
            return False
        return True

    def _turn(self) -> bool:
        """Makes that the mark."""
        try:
            self._next.replace(self._path)
        except OSError:
            return False
        return True


def _read(path: Path) -> _State | None:
    """None where there is none, or none that says something."""
    try:
        found = json.loads(path.read_text("utf-8"))
        types = {
            str(name): _Standing(
                str(one["host_name"]),
                str(one["unit"]),
                int(one["until_ns"]),
                tuple(map(int, one["pins"])),
                {str(cause): int(number) for cause, number in one["counted"].items()},
            )
            for name, one in found["types"].items()
        }
        return _State(int(found["since_ns"]), int(found["sequence"]), types)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _sum(parts: Sequence[Part]) -> Counter[str]:
    return sum((Counter(part.counted) for part in parts), Counter[str]())


def _lost(name: str, standing: _Standing, final: Counter[str], now_ns: int) -> Drain:
    """What was counted after the last drain in the spool, as a drain without samples: it may have
    been taken up to now, since nobody knows when the collector was killed."""
    losses = final - Counter(standing.counted)
    taken = losses.pop("taken", 0)
    losses[CAUSE] = taken - sum(losses.values())
    return Drain(
        standing.host_name,
        standing.until_ns,
        max(now_ns - standing.until_ns, 0),
        taken,
        dict(+losses),
        type=ProfileType(name, standing.unit),
    )
