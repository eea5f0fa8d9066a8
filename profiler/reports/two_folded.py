"""Folded stacks with two counts, the baseline's and the candidate's samples.

    main;parse;read_token 42 61

flamegraph.pl draws the difference of such files; difffolded.pl of FlameGraph writes them too, and
rounds each stack down when it scales, which loses half of thin stacks.
"""

from profiler.analysis import tree
from profiler.analysis.union import Union
from profiler.formats import folded
from profiler.model import Frame, Profile


def dumps(union: Union) -> bytes:
    """In alphabetical order, every stack that has samples on either side."""
    before, after = union.self_samples
    profile = Profile(
        tuple(Frame(function, file, binary=b, kind=kind) for function, file, b, kind in union.keys),
        union.shape.parents,
        union.shape.functions,
        before,
        after,
    )
    names = [folded.escaped(key[0]) for key in union.keys]
    counts: dict[str, tuple[int, int]] = {}
    for node, path in tree.paths(profile, names):
        stack = ";".join(path)
        first, second = counts.get(stack, (0, 0))
        counts[stack] = first + int(before[node]), second + int(after[node])
    rows = (f"{stack} {first} {second}\n" for stack, (first, second) in sorted(counts.items()))
    return "".join(rows).encode("utf-8", "backslashreplace")
