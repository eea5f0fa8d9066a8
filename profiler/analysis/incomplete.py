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
