"""The spool: batches that the server has not acknowledged, in order, within a bound on disk.

A batch is a file, `FIRST-SEQUENCE.batch`, that is whole or not there; whoever opens the spool
after a crash finds every batch that was appended and not acknowledged. When the bound is reached,
the oldest batches are reduced to their accounts (`collector.delivery.losses`) under the cause
`spool_full`. Those are small, and merged with their neighbour, so that a server that is away for
a year costs one more file; FIRST says from where on a file speaks for batches that are no more.

No sample is counted twice by that. Only the first `WINDOW` batches are ever on their way, so only
those can be at the server already, their acknowledgement lost. They keep their number when they
are reduced: the server has them, then it stores nothing more, or it stores the loss. Batches
behind the window, which nobody has seen, are the ones that are merged.

Where the disk takes no more, batches stay in memory, within a bound of their own, until it does.
A Spool is not thread-safe: its owner holds a lock. Reading the counts needs none.
"""

import fcntl
import logging
import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from collector.delivery import batchfile, durable, losses
from collector.delivery.identity import Identity
from collector.delivery.mark import Mark
from collector.kernel.pins import Pins
from profiler import wire
from profiler.clock import Clock, SystemClock
from profiler.errors import FormatError, UsageError
from profiler.model import Drain
from profiler.v1 import ingest_pb2 as pb
from profiler.wire.limits import MESSAGE_BYTES

WINDOW = 8
"""Batches that may be on their way unacknowledged: enough to hide a commit behind the next
batch's journey, and few enough for a server's memory."""

LIMIT_BYTES = 256 << 20
"""The default bound: the better part of a day of a busy node's drains."""

MEMORY_BYTES = 16 << 20
"""Of batches that the disk did not take."""

_NAME = re.compile(r"(\d+)-(\d+)\.batch")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A batch in the spool; if it is not `whole`, what remains of those from `first` on.

    `data` is the file's content while it is only in memory; `replaces` are the files for which
    it speaks once it is written.
    """

    first: int
    sequence: int
    size: int
    accounts: pb.Batch
    data: bytes | None = None
    replaces: tuple[Path, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it holds samples that could be dropped."""
        return losses.held(self.accounts) > 0

    @property
    def name(self) -> str:
        return f"{self.first:012}-{self.sequence:012}.batch"


class Spool:
    """The batches waiting in `directory`, which no other process may use meanwhile.

    `lost` counts the samples dropped here by cause, `damaged` the files that could not be read;
    `mark` tells what a collector lost that was killed. The newest drain stays in memory until it is
    acknowledged or there is a newer one: where the server is there, nothing is read and decoded
    again.
    """

    def __init__(
        self,
        directory: Path,
        limit_bytes: int = LIMIT_BYTES,
        clock: Clock | None = None,
        pins: Path | None = None,
    ) -> None:
        """`pins` is where counters are held, in a folder of the spool's own; None: they are not.
        Raises UsageError where `directory` cannot be used."""
        self.lost: Counter[str] = Counter()
        self.damaged = 0
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._disk_full = False
        self._newest: tuple[int, Drain] | None = None
        self._lock = _lock(directory)
        self._entries = {entry.sequence: entry for entry in self._found()}
        self._identity = Identity(directory / "identity", used=max(self._entries, default=0))
        held = Pins.of(directory, pins) if pins else None
        self.mark = Mark(directory / "running", clock or SystemClock(), held, self._holds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Writes what is only in memory, if the disk takes it, and lets others in."""
        self._write_waiting()
        self.mark.remove()
        self._lock.close()

    @property
    def directory(self) -> Path:
        return self._directory

    @property
    def batches(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        return sum(entry.size for entry in list(self._entries.values()))

    def append(self, drain: Drain) -> None:
        """Keeps `drain` until it is acknowledged; drops what no longer fits. Never raises
        OSError: a sick disk costs samples at the worst, and those are counted."""
        batch = wire.encode(drain, *self._identity.take())
        number, accounts = batch.sequence, losses.accounts(batch)
        data = batchfile.dumps(accounts, batch)
        self._entries[number] = Entry(number, number, len(data), accounts, data)
        self._newest = number, drain
        if batch.ByteSize() > MESSAGE_BYTES:
            logger.warning("a batch of %d bytes is too large to send", batch.ByteSize())
            self._reduce(number, "refused")
        self.mark.stage(drain, number)
        self._drop_beyond(self._limit_bytes, list(self._entries.values()))
        self._write_waiting()
        self._drop_beyond(
            MEMORY_BYTES, [entry for entry in self._entries.values() if entry.data is not None]
        )
        self.mark.settle(on_disk=not self._disk_full)

    def due(self) -> list[int]:
        """The sequences of the batches to send now, oldest first, at most WINDOW."""
        return list(islice(self._entries, WINDOW))

    def read(self, sequence: int) -> tuple[bytes, Drain] | None:
        """The collector's id and the drain, or what remains of it: a file that is damaged has
        lost its samples. None, and the batch is forgotten, where nothing can be said of it."""
        entry = self._entries[sequence]
        if self._newest and self._newest[0] == sequence and entry.whole:
            return entry.accounts.collector_id, self._newest[1]
        try:
            return entry.accounts.collector_id, wire.decode(self._load_batch(entry))
        except (OSError, FormatError) as error:
            logger.warning("%s: %s; its samples are lost", entry.name, error)
            self.damaged += 1
        self._reduce(sequence, "spool_damaged")
        self._write_waiting()
        try:
            return entry.accounts.collector_id, wire.decode(self._entries[sequence].accounts)
        except FormatError:
            self.remove(sequence)
            return None

    def remove(self, sequence: int) -> int:
        """Forgets a batch that arrived; the number of its samples that arrived with it."""
        entry = self._entries.pop(sequence, None)
        if entry is None:
            return 0
        if self._newest and self._newest[0] == sequence:
            self._newest = None
        for path in (self._directory / entry.name, *entry.replaces):
            _remove(path)
        return losses.held(entry.accounts)

    def refuse(self, sequence: int) -> None:
        """Reduces a batch that the server can never accept; keeps the last such in `refused.pb`,
        a recording. If it is the accounts that were refused, nothing remains to be sent."""
        entry = self._entries[sequence]
        if not entry.whole:
            self.remove(sequence)
            return
        with suppress(OSError, FormatError):
            batch = self._load_batch(entry)
            with (self._directory / "refused.pb").open("wb") as file:
                wire.write_batch(file, batch)
        self._reduce(sequence, "refused")
        self._write_waiting()

    def _holds(self, sequence: int) -> bool:
        return any(one.first <= sequence <= one.sequence for one in self._entries.values())

    def _load_batch(self, entry: Entry) -> pb.Batch:
        path = self._directory / entry.name
        return batchfile.loads(path.read_bytes() if entry.data is None else entry.data)

    def _drop_beyond(self, limit_bytes: int, candidates: list[Entry]) -> None:
        """Drops the oldest of `candidates` until they are within the limit, those behind the
        window first: who is on the way may be there already."""
        size = sum(entry.size for entry in candidates)
        on_the_way = set(self.due())
        whole = [entry for entry in candidates if entry.whole]
        for entry in sorted(whole, key=lambda entry: entry.sequence in on_the_way):
            if size <= limit_bytes:
                return
            size -= entry.size
            self._reduce(entry.sequence, "spool_full")
            if entry.sequence not in on_the_way:
                self._merge(entry.sequence, on_the_way)

    def _reduce(self, sequence: int, cause: str) -> None:
        """Leaves of a batch only its accounts, its samples lost by `cause`."""
        entry = self._entries[sequence]
        self.lost[cause] += max(losses.held(entry.accounts), 0)
        remains = losses.lost(entry.accounts, cause)
        data = batchfile.dumps(remains)
        self._entries[sequence] = replace(entry, size=len(data), accounts=remains, data=data)

    def _merge(self, sequence: int, on_the_way: set[int]) -> None:
        """Lets a reduced batch speak for the one before it, if that is reduced too."""
        before = max((other for other in self._entries if other < sequence), default=0)
        entry, previous = self._entries[sequence], self._entries.get(before)
        if previous is None or previous.whole or before in on_the_way:
            return
        if not losses.mergeable(previous.accounts, entry.accounts):
            return
        accounts = losses.merged(previous.accounts, entry.accounts)
        data = batchfile.dumps(accounts)
        replaced = (self._directory / previous.name, self._directory / entry.name)
        del self._entries[before]
        self._entries[sequence] = replace(
            entry,
            first=previous.first,
            size=len(data),
            accounts=accounts,
            data=data,
            replaces=(*previous.replaces, *entry.replaces, *replaced),
        )

    def _write_waiting(self) -> None:
        """Writes to disk what is only in memory, oldest first, as far as the disk takes it."""
        for entry in list(self._entries.values()):
            if entry.data is None:
                continue
            try:
                self._write(entry, entry.data)
            except OSError as error:
                if not self._disk_full:
                    logger.warning("%s: %s; keeping batches in memory", self._directory, error)
                self._disk_full = True
                return
            self._entries[entry.sequence] = replace(entry, data=None, replaces=())
        self._disk_full = False

    def _write(self, entry: Entry, data: bytes) -> None:
        try:
            durable.replace(self._directory / entry.name, data)
        finally:
            # Also where the disk is full: this makes the room for the next attempt.
            for replaced in entry.replaces:
                replaced.unlink(missing_ok=True)

    def _found(self) -> list[Entry]:
        """What an earlier process left, in order; without what a merged file speaks for."""
        for leftover in self._directory.glob(f"*{durable.SUFFIX}"):
            _remove(leftover)
        names = filter(None, (_NAME.fullmatch(path.name) for path in self._directory.iterdir()))
        ranges = [(int(name[1]), int(name[2]), name[0]) for name in names]
        kept: list[Entry] = []
        for first, sequence, name in sorted(ranges, key=lambda found: (-found[1], found[0])):
            path = self._directory / name
            if kept and sequence >= kept[-1].first:
                _remove(path)
            elif entry := self._load(first, sequence, path):
                kept.append(entry)
        return kept[::-1]

    def _load(self, first: int, sequence: int, path: Path) -> Entry | None:
        try:
            with path.open("rb") as file:
                accounts = batchfile.loads_accounts(file.read(batchfile.ACCOUNTS_BYTES))
                return Entry(first, sequence, os.fstat(file.fileno()).st_size, accounts)
        except (OSError, FormatError) as error:
            logger.warning("%s: %s; how many samples it held is not known", path.name, error)
            self.damaged += 1
            _remove(path)
            return None


def _remove(path: Path) -> None:
    """A file that stays is found again at the next start: then sent again, and stored once."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _lock(directory: Path) -> IO[str]:
    """The open lock file; raises UsageError where the directory cannot be used."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (directory / "lock").open("a+")
    except OSError as error:
        raise UsageError(
            f"spool {directory}: {error.strerror}; choose another with --spool DIR"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        why = "another collector uses it" if isinstance(error, BlockingIOError) else error.strerror
        raise UsageError(
            f"spool {directory}: {why}; give this one its own with --spool DIR"
        ) from None
    return lock
