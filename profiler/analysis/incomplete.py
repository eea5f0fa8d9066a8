"""The stacks that do not reach their root, or lack frames, by what was in the way.

>>> from profiler.formats import folded
>>> causes(folded.loads(b"app;[truncated: depth];f 3\\napp;main;f 4\\n"))
{'depth': 3}
"""

import re
from collections import Counter

import numpy as np

from profiler.analysis import tree
from profiler.model import Profile

_MARKER = re.compile(r"\[truncated: (.*)\]")


def causes(profile: Profile) -> dict[str, int]:
    """Samples below `[truncated: CAUSE]` by cause, most first; one that stands below two such
    frames counts for each."""
    matches = [_MARKER.fullmatch(frame.function) for frame in profile.frames]
    marks = np.array([match is not None for match in matches], bool)
    nodes = np.flatnonzero(profile.node_frames >= 0)
    nodes = nodes[marks[profile.node_frames[nodes]]]
    if not len(nodes):
        return {}
    found: Counter[str] = Counter()
    samples = tree.totals(profile, profile.samples)[nodes]
    for frame, count in zip(profile.node_frames[nodes].tolist(), samples.tolist(), strict=True):
        match = matches[frame]
        found[match[1] if match else ""] += count
    return dict(found.most_common())
