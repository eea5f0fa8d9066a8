"""From batches to drains: the loop over frames that the server does without."""

import numpy as np
from numpy.typing import NDArray

from profiler.model import ROOT, Drain, Frame, Kind, Profile
from profiler.v1 import ingest_pb2 as pb
from profiler.wire.decoder import Additions, DecodedBatch, StreamDecoder
from profiler.wire.series import Samples


class DrainDecoder:
    """Reads the batches of one stream as drains; remembers the stream's frames and nodes."""

    def __init__(self) -> None:
        self._columns = StreamDecoder()
        self._strings = [""]
        self._frames: list[Frame] = []
        self._parents = np.array([-1], dtype=np.int32)
        self._node_frames = np.array([-1], dtype=np.int32)

    def decode(self, batch: pb.Batch) -> Drain:
        """Raises what `StreamDecoder.decode` does."""
        decoded = self._columns.decode(batch)
        self._add(decoded.additions)
        return Drain(
            host_name=decoded.host_name,
            start_ns=decoded.start_ns,
            duration_ns=decoded.duration_ns,
            taken=decoded.taken,
            losses=decoded.losses,
            profiles=tuple(self._profile(decoded, samples) for samples in decoded.profiles),
            type=decoded.type,
            progress=decoded.progress,
        )

    def _add(self, new: Additions) -> None:
        text = self._strings
        text += new.strings
        rows = zip(
            new.frame_function.tolist(),
            new.frame_file.tolist(),
            new.frame_line.tolist(),
            new.frame_binary.tolist(),
            new.frame_build_id.tolist(),
            new.frame_address.tolist(),
            new.frame_kind.tolist(),
            new.frame_inlined.tolist(),
            strict=True,
        )
        self._frames += [
            Frame(text[fn], text[file], line, text[binary], text[build], at, Kind(kind), bool(inl))
            for fn, file, line, binary, build, at, kind, inl in rows
        ]
        self._parents = np.concatenate([self._parents, new.node_parent.astype(np.int32)])
        self._node_frames = np.concatenate([self._node_frames, new.node_frame.astype(np.int32)])

    def _profile(self, batch: DecodedBatch, series: Samples) -> Profile:
        nodes = self._with_callers(series.stacks)
        at = np.searchsorted(nodes, series.stacks)
        samples, values = np.zeros((2, len(nodes)), dtype=np.int64)
        samples[at] = series.samples
        values[at] = series.values if len(series.values) else series.samples * series.period
        parents = np.searchsorted(nodes, self._parents[nodes]).astype(np.int32)
        parents[ROOT] = -1
        used, node_frames = np.unique(self._node_frames[nodes[1:]], return_inverse=True)
        return Profile(
            frames=tuple(self._frames[frame] for frame in used.tolist()),
            parents=parents,
            node_frames=np.concatenate([[-1], node_frames]).astype(np.int32),
            samples=samples,
            values=values,
            type=batch.type,
            period=series.period,
            start_ns=batch.start_ns,
            duration_ns=batch.duration_ns,
            labels=series.labels,
        )

    def _with_callers(self, stacks: NDArray[np.uint32]) -> NDArray[np.intp]:
        """The numbers of `stacks`, of all nodes above them and of the root, in order."""
        wanted = np.zeros(len(self._parents), dtype=np.bool_)
        wanted[ROOT] = True
        level = np.unique(stacks)
        while len(level := level[~wanted[level]]):
            wanted[level] = True
            level = np.unique(self._parents[level])
        return np.flatnonzero(wanted)


def decode(batch: pb.Batch) -> Drain:
    """The drain of a batch that explains itself (`encode`); raises FormatError."""
    return DrainDecoder().decode(batch)
