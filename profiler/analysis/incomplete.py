"""The stacks that do not reach their root, or lack frames, by what was in the way.

>>> from profiler.formats import folded
>>> causes(forest.of(folded.loads(b"app;[truncated: depth];f 3\\napp;main;f 4\\n")))
{'depth': 3}
"""

import re
from collections import Counter

import numpy as np

from profiler.analysis.forest import Forest

_MARKER = re.compile(r"\[truncated: (.*)\]")


def causes(trees: Forest) -> dict[str, int]:
    """Samples below `[truncated: CAUSE]` by cause, most first; one that stands below two such
    frames counts for each."""
    found: Counter[str] = Counter()
    for tree in trees.trees:
        samples = np.zeros(len(trees.keys), np.int64)
        np.add.at(samples, tree.functions[1:], tree.samples[1:])
        for function in np.flatnonzero(samples).tolist():
            if match := _MARKER.fullmatch(trees.keys[function][0]):
                found[match[1]] += int(samples[function])
    return dict(found.most_common())
