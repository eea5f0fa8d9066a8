"""From drains to batches: strings, frames and nodes are numbered and sent once a stream."""

from collections.abc import Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from profiler.model import ROOT, Drain, Frame, Profile
from profiler.session import MAX_REASON, TOLD, Progress
from profiler.v1 import ingest_pb2 as pb
from profiler.wire.limits import COUNT, LABEL_BYTES, NAME_BYTES, STRING_BYTES

T = TypeVar("T")


def encode(drain: Drain, collector_id: bytes, sequence: int) -> pb.Batch:
    """A batch that explains itself: its numbering begins at zero."""
    return StreamEncoder().encode(drain, collector_id, sequence)


class StreamEncoder:
    """Encodes the drains of one stream; what the stream has carried is not sent again.

    A batch that was encoded must be sent on this stream, or the stream be given up: later batches
    refer to what it added.
    """

    def __init__(self) -> None:
        self._strings = {"": 0}
        self._frames: dict[Frame, int] = {}
        self._nodes: dict[int, int] = {}  # parent << 32 | frame -> node

    @property
    def nodes(self) -> int:
        """Nodes that the stream has numbered, without the root."""
        return len(self._nodes)

    def encode(self, drain: Drain, collector_id: bytes, sequence: int) -> pb.Batch:
        """The batch of `drain`. Strings are made what the wire takes: see `wire_text`."""
        strings, frames, nodes = len(self._strings), len(self._frames), len(self._nodes)
        profiles = [self._profile(profile) for profile in drain.profiles]
        return pb.Batch(
            collector_id=collector_id,
            sequence=sequence,
            additions=self._additions(strings, frames, nodes),
            accounts=_accounts(drain),
            profiles=profiles,
            progress=_progress(drain.progress) if drain.progress else None,
        )

    def _profile(self, profile: Profile) -> pb.Profile:
        leaves = np.flatnonzero(profile.samples | profile.values)
        # Sorted, and equal stacks added up, should a profile have a path twice.
        stacks, entry = np.unique(self._number(profile)[leaves], return_inverse=True)
        samples = np.zeros(len(stacks), np.int64)
        values = np.zeros(len(stacks), np.int64)
        np.add.at(samples, entry, profile.samples[leaves])
        np.add.at(values, entry, profile.values[leaves])
        period = profile.period if profile.period < COUNT else 0
        implied = period > 0 and np.array_equal(values, samples * period)
        return pb.Profile(
            label_names=_column([self._string(name) for name, _ in profile.labels], "<u4"),
            label_values=_column(
                [self._string(wire_text(value, LABEL_BYTES)) for _, value in profile.labels], "<u4"
            ),
            period=period,
            stacks=_column(stacks, "<u4"),
            samples=_column(samples, "<u8"),
            values=b"" if implied else _column(values, "<i8"),
        )

    def _number(self, profile: Profile) -> NDArray[np.int64]:
        """The stream's number of every node of `profile`, numbering those it has not seen."""
        frames = [self._frame(frame) for frame in profile.frames]
        parents, node_frames = profile.parents.tolist(), profile.node_frames.tolist()
        numbers = [ROOT] * len(parents)
        known = self._nodes
        for node in range(1, len(parents)):
            key = numbers[parents[node]] << 32 | frames[node_frames[node]]
            numbers[node] = known.setdefault(key, len(known) + 1)
        return np.array(numbers, dtype=np.int64)

    def _frame(self, frame: Frame) -> int:
        number = self._frames.get(frame)
        if number is None:
            number = self._frames[frame] = len(self._frames)
            for text in (frame.function, frame.file, frame.binary, frame.build_id):
                self._string(text)
        return number

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _additions(self, strings: int, frames: int, nodes: int) -> pb.Additions:
        """What was numbered since the stream held that many strings, frames and nodes."""
        number = self._strings
        new = _since(self._frames, frames)
        keys = np.array(_since(self._nodes, nodes), dtype=np.uint64)
        return pb.Additions(
            strings=[wire_text(text, STRING_BYTES) for text in _since(number, strings)],
            frame_function=_column([number[frame.function] for frame in new], "<u4"),
            frame_file=_column([number[frame.file] for frame in new], "<u4"),
            frame_line=_column([frame.line for frame in new], "<u4"),
            frame_binary=_column([number[frame.binary] for frame in new], "<u4"),
            frame_build_id=_column([number[frame.build_id] for frame in new], "<u4"),
            frame_address=_column([frame.address for frame in new], "<u8"),
            frame_kind=_column([frame.kind for frame in new], "u1"),
            frame_inlined=_column([frame.inlined for frame in new], "u1"),
            node_parent=_column(keys >> np.uint64(32), "<u4"),
            node_frame=_column(keys & np.uint64(0xFFFFFFFF), "<u4"),
        )


def wire_text(text: str, limit: int) -> str:
    """`text` as the wire takes it: UTF-8 of at most `limit` bytes, without NUL.

    File and thread names are bytes to the kernel; what is not UTF-8 in them is shown escaped
    (`\\udcff`), and what is too long ends in `…`, so that no name can cost a sample.
    """
    if text.isascii() and len(text) <= limit and "\0" not in text:
        return text
    data = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "backslashreplace")
    if len(data) > limit:
        ellipsis = "…".encode()
        data = data[: limit - len(ellipsis)].decode("utf-8", "ignore").encode() + ellipsis
    return data.decode()


def _accounts(drain: Drain) -> pb.Accounts:
    return pb.Accounts(
        host_name=wire_text(drain.host_name, LABEL_BYTES),
        profile_type=drain.type.name,
        unit=drain.type.unit,
        start_ns=drain.start_ns,
        duration_ns=drain.duration_ns,
        taken=drain.taken,
        losses={wire_text(cause, NAME_BYTES): n for cause, n in drain.losses.items()},
    )


def _progress(progress: Progress) -> pb.Progress:
    return pb.Progress(
        session=progress.session,
        state=pb.SessionState.Name(TOLD.index(progress.state)),
        reason=wire_text(progress.reason[:MAX_REASON], LABEL_BYTES),
        processes=progress.processes,
    )


def _since(numbered: dict[T, int], count: int) -> list[T]:
    """The keys numbered after the first `count`: a dict keeps the order of insertion. From its end,
    for a stream comes to hold a hundred times as many as a batch adds."""
    return list(islice(reversed(numbered), len(numbered) - count))[::-1]


def _column(numbers: Sequence[int] | NDArray[np.generic], dtype: str) -> bytes:
    return np.array(numbers, dtype=dtype).tobytes()
