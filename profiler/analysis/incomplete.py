"""The stacks that do not reach their root, or lack frames, by what was in the way.

>>> from profiler.formats import folded
>>> causes(forest.of(folded.loads(b"app;[truncated: depth];f 3\\napp;main;f 4\\n")))
{'depth': 3}
"""

import re
from collections import Counter
from dataclasses import replace

import numpy as np

from profiler.analysis.forest import Forest
from profiler.model import ROOT, Kind, Profile

EARLY = frozenset(
    f"[truncated: {cause}]" for cause in ("new process", "unknown code", "no unwind table")
)
"""Of samples that were taken, and had to be named, before the collector knew their program."""

_MARKER = re.compile(r"\[truncated: (.*)\]")


def causes(trees: Forest) -> dict[str, int]:
    """Samples below `[truncated: CAUSE]` by cause, most first; one that stands below two such
    frames counts for each."""
    markers = {
        number: match[1]
        for number, (name, *_) in enumerate(trees.keys)
        if name.startswith("[") and (match := _MARKER.fullmatch(name))
    }
    found: Counter[str] = Counter()
    marked = np.zeros(len(trees.keys) + 1, bool)  # the root's function is -1, the last one
    marked[list(markers)] = True
    for tree in trees.trees:
        nodes = np.flatnonzero(marked[tree.shape.functions] & (tree.samples != 0))
        for node, function in zip(
            nodes.tolist(), tree.shape.functions[nodes].tolist(), strict=True
        ):
            found[markers[function]] += int(tree.samples[node])
    return dict(found.most_common())


def without_early(profile: Profile) -> tuple[Profile, float]:
    """The profile as if its early samples had been those of all others, and how large a part of all
    they were. How many there are depends on how busy the machine was, and what calls them, or what
    they are named, is not known: left as they are, their functions would seem to have moved."""
    frames = [frame.kind is Kind.MARKER and frame.function in EARLY for frame in profile.frames]
    early = np.array([*frames, False], bool)[profile.node_frames]  # the root's frame is -1
    if not early.any():
        return profile, 0.0
    above = np.maximum(profile.parents, ROOT)
    while above.any():  # twice as far up each time
        early |= early[above]
        above = above[above]
    whole = profile.total_value
    values = np.where(early, 0, profile.values)
    kept = int(values.sum())
    if not kept:
        return profile, 0.0
    scaled = np.rint(values * (whole / kept)).astype(np.int64)
    samples = np.where(early, 0, profile.samples)
    return replace(profile, samples=samples, values=scaled), 1 - kept / whole
