"""Columns of frames say what the frames say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from profiler.analysis.frames import FrameTable
from profiler.model import Frame
from tests.profiler.strategies import frames


@given(st.lists(frames, max_size=8), st.lists(frames, max_size=8), st.data())
def test_columns_are_those_of_the_frames(
    first: list[Frame], second: list[Frame], data: st.DataObject
) -> None:
    table, known = FrameTable(first), [*first, *second]
    table.extend(second)
    assert [table[number] for number in range(len(table))] == known
    numbers = data.draw(st.lists(st.integers(0, len(known) - 1), max_size=8)) if known else []
    found = table.columns(np.array(numbers, np.intp))
    for name in ("function", "file", "binary", "build_id"):
        texts = [found.strings[place] for place in getattr(found, name).tolist()]
        assert texts == [getattr(known[number], name) for number in numbers]
    assert found.line.tolist() == [known[number].line for number in numbers]
    assert found.address == [hex(known[number].address) for number in numbers]
    assert found.kind == [known[number].kind.name.lower() for number in numbers]
    assert len(set(found.strings)) == len(found.strings) and found.strings[0] == ""
