"""From batches to columns, and to drains. Whatever a sender may write, a FormatError is the worst.

Columns are checked with numpy as wholes; the loops that are left run over strings and series.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profiler import session
from profiler.errors import FormatError, UnavailableError
from profiler.model import Kind, ProfileType
from profiler.session import Progress
from profiler.v1 import ingest_pb2 as pb
from profiler.wire import checks, limits
from profiler.wire.series import Samples, SeriesDecoder

_FRAME_COLUMNS = {
    "frame_function": "<u4",
    "frame_file": "<u4",
    "frame_line": "<u4",
    "frame_binary": "<u4",
    "frame_build_id": "<u4",
    "frame_address": "<u8",
    "frame_kind": "u1",
    "frame_inlined": "u1",
}
_NODE_COLUMNS = {"node_parent": "<u4", "node_frame": "<u4"}


class StreamFullError(UnavailableError):
    """The stream's numbering has no room for this batch; on a new stream it has."""


@dataclass(frozen=True, slots=True, eq=False)
class Additions:
    """What a batch adds to its stream: columns, one entry a frame or a node.

    The first string has the number `first_string`, and so on for frames and nodes. The numbers in
    the columns are those of the stream, and all within what it holds with these additions;
    `node_parent` is always smaller than the node's own number. A path may have two numbers.
    """

    first_string: int
    strings: tuple[str, ...]
    string_bytes: int
    first_frame: int
    frame_function: NDArray[np.uint32]
    frame_file: NDArray[np.uint32]
    frame_line: NDArray[np.uint32]
    frame_binary: NDArray[np.uint32]
    frame_build_id: NDArray[np.uint32]
    frame_address: NDArray[np.uint64]
    frame_kind: NDArray[np.uint8]
    frame_inlined: NDArray[np.uint8]
    first_node: int
    node_parent: NDArray[np.uint32]
    node_frame: NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class DecodedBatch:
    """A batch of which every field has been checked; no two `profiles` have equal labels."""

    collector_id: bytes
    sequence: int
    host_name: str
    type: ProfileType
    start_ns: int
    duration_ns: int
    taken: int
    losses: Mapping[str, int]
    additions: Additions
    profiles: tuple[Samples, ...]
    progress: Progress | None = None

    @property
    def unaccounted(self) -> int:
        """Samples taken that are neither held nor lost by name: 0 where the accounts close."""
        held = sum(profile.total for profile in self.profiles)
        return self.taken - held - sum(self.losses.values())


class StreamDecoder:
    """Reads the batches of one stream, in their order.

    A batch that is refused changes nothing, so the batches before it stay good.
    """

    def __init__(self) -> None:
        self._strings = [""]
        self._string_bytes = 0
        self._frames = 0
        self._nodes = 1
        self._series = SeriesDecoder(self._strings)

    @property
    def bytes(self) -> int:
        """About the memory of what is remembered beside what the stream has numbered."""
        return self._series.bytes

    def decode(self, batch: pb.Batch) -> DecodedBatch:
        """Raises FormatError for what no stream may carry, StreamFullError for what this stream
        has no room for."""
        if len(batch.collector_id) != 16:
            raise FormatError(f"collector_id: expected 16 bytes, got {len(batch.collector_id)}")
        additions = self._additions(batch)
        known = len(self._strings)
        self._strings += additions.strings
        try:
            decoded = self._batch(batch, additions)
        except FormatError:
            del self._strings[known:]
            self._series.forget()
            raise
        self._string_bytes += additions.string_bytes
        self._frames += len(additions.frame_function)
        self._nodes += len(additions.node_parent)
        return decoded

    def _batch(self, batch: pb.Batch, additions: Additions) -> DecodedBatch:
        accounts = batch.accounts
        start_ns = checks.bounded("accounts.start_ns", accounts.start_ns, limits.TIME_NS)
        latest = limits.TIME_NS - start_ns
        losses = checks.losses(accounts.losses)
        profiles = self._series.decode(batch.profiles, self._nodes + len(additions.node_parent))
        for field, total in (
            ("samples", sum(profile.total for profile in profiles)),
            ("values", sum(profile.value for profile in profiles)),
            ("accounts.losses", sum(losses.values())),
        ):
            checks.bounded(f"the sum of {field}", total, limits.COUNT)
        return DecodedBatch(
            collector_id=batch.collector_id,
            sequence=checks.bounded("sequence", batch.sequence, limits.TIME_NS),
            host_name=checks.text("accounts.host_name", accounts.host_name, limits.LABEL_BYTES),
            type=ProfileType(
                checks.name("accounts.profile_type", accounts.profile_type),
                checks.name("accounts.unit", accounts.unit),
            ),
            start_ns=start_ns,
            duration_ns=checks.bounded("accounts.duration_ns", accounts.duration_ns, latest),
            taken=checks.bounded("accounts.taken", accounts.taken, limits.COUNT),
            losses=losses,
            additions=additions,
            profiles=profiles,
            progress=_progress(batch.progress) if batch.HasField("progress") else None,
        )

    def _additions(self, batch: pb.Batch) -> Additions:
        firsts = len(self._strings), self._frames, self._nodes
        if not batch.HasField("additions"):  # most of the time
            return _additions(*firsts, (), 0, _NO_COLUMNS)
        new = batch.additions
        strings, size = self._new_strings(new)
        frames = _columns(new, _FRAME_COLUMNS)
        self._room("frames", limits.STREAM_FRAMES, self._frames, len(frames["frame_kind"]))
        for field in ("frame_function", "frame_file", "frame_binary", "frame_build_id"):
            known = len(self._strings) + len(strings)
            checks.below(f"additions.{field}", frames[field], known, "strings")
        checks.below("additions.frame_kind", frames["frame_kind"], len(Kind), "kinds")
        checks.below("additions.frame_inlined", frames["frame_inlined"], 2, "values")
        nodes = self._new_nodes(new, self._frames + len(frames["frame_kind"]))
        return _additions(*firsts, strings, size, frames | nodes)

    def _new_nodes(self, new: pb.Additions, frames: int) -> dict[str, NDArray[Any]]:
        nodes = _columns(new, _NODE_COLUMNS)
        parents = nodes["node_parent"]
        self._room("nodes", limits.STREAM_NODES, self._nodes, len(parents))
        checks.below("additions.node_frame", nodes["node_frame"], frames, "frames")
        own = np.arange(self._nodes, self._nodes + len(parents))
        late = np.flatnonzero(parents >= own)
        if len(late):
            raise FormatError(
                f"additions.node_parent: node {own[late[0]]} has the parent {parents[late[0]]}; "
                "a parent's number is smaller than the node's own"
            )
        return nodes

    def _new_strings(self, new: pb.Additions) -> tuple[tuple[str, ...], int]:
        """They, and their bytes."""
        self._room("strings", limits.STREAM_STRINGS, len(self._strings), len(new.strings))
        strings = tuple(new.strings)
        size = checks.texts("additions.strings", strings, limits.STRING_BYTES)
        self._room("bytes of strings", limits.STREAM_STRING_BYTES, self._string_bytes, size)
        return strings, size

    def _room(self, what: str, limit: int, held: int, new: int) -> None:
        if new >= limit:
            raise FormatError(f"additions: {new} {what}, a stream has fewer than {limit}")
        if held + new > limit:
            raise StreamFullError(
                f"this stream has {held} {what} of at most {limit}, no room for {new} more: "
                "begin a new stream"
            )


def _progress(told: pb.Progress) -> Progress:
    if not session.is_id(told.session):
        raise FormatError(
            f"progress.session: {told.session[:64]!r}, expected 16 hexadecimal digits"
        )
    state = session.TOLD[checks.bounded("progress.state", told.state, len(session.TOLD))]
    reason = checks.text("progress.reason", told.reason, limits.LABEL_BYTES)
    return Progress(told.session, state, reason, told.processes)


def _columns(new: pb.Additions, dtypes: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    return checks.columns("additions", {name: getattr(new, name) for name in dtypes}, dtypes)


_NO_COLUMNS = {
    name: np.array([], dtype) for name, dtype in (_FRAME_COLUMNS | _NODE_COLUMNS).items()
}


def _additions(
    first_string: int,
    first_frame: int,
    first_node: int,
    strings: tuple[str, ...],
    string_bytes: int,
    columns: Mapping[str, NDArray[Any]],
) -> Additions:
    return Additions(
        first_string=first_string,
        strings=strings,
        string_bytes=string_bytes,
        first_frame=first_frame,
        first_node=first_node,
        **columns,
    )
