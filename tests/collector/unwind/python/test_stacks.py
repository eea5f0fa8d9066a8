"""The words of a stack: what the kernel writes, and whatever else could stand there."""

from hypothesis import given
from hypothesis import strategies as st

from collector.unwind.python import abi
from collector.unwind.python.abi import Cause, Kind
from collector.unwind.python.stacks import PythonFrame, Stack, parse

A, B, C = (PythonFrame(0x7F0000001000 * n, n, 0xFFFFFFFF - n) for n in (1, 2, 3))
LOOP, OTHER = 0x55D0_0000_1234, 0x7F12_3456_789A


def words(*entries: int | PythonFrame | Cause | None) -> list[int]:
    """As the kernel writes them; None is a run of the loop without a frame."""
    written = []
    for entry in entries:
        if isinstance(entry, PythonFrame):
            place = entry.place & 0xFFFFFFFF
            written += [abi.TAG | entry.code, entry.checksum << 32 | place]
        elif isinstance(entry, Cause):
            written += [abi.TAG | Kind.CUT << abi.KIND_SHIFT, int(entry)]
        elif entry is None:
            written += [abi.TAG | Kind.NO_FRAME << abi.KIND_SHIFT, 0]
        else:
            written.append(entry)
    return written


def test_frames_stand_between_addresses() -> None:
    frames = (OTHER, LOOP, A, B, OTHER, LOOP, C)
    assert parse(words(*frames)) == Stack(frames)


def test_a_place_before_the_first_instruction_is_negative() -> None:
    frame = PythonFrame(0x1000, -1, 5)
    assert parse(words(frame)).frames == (frame,)


def test_a_cut_stack_says_why() -> None:
    assert parse(words(LOOP, A, Cause.NOT_CODE)) == Stack((LOOP, A), Cause.NOT_CODE)


def test_a_loop_that_has_not_linked_its_frame_moves_all_frames_outwards() -> None:
    # Three runs of the loop; the innermost has just begun, so only A and B are linked.
    emitted = words(LOOP, A, OTHER, LOOP, B, OTHER, LOOP, None, OTHER)
    assert parse(emitted).frames == (LOOP, OTHER, LOOP, A, OTHER, LOOP, B, OTHER)


@given(st.lists(st.one_of(st.integers(0, 2**64 - 1), st.sampled_from(words(A, None, Cause.TORN)))))
def test_any_words_make_a_stack(noise: list[int]) -> None:
    stack = parse(noise)
    assert all(isinstance(f, PythonFrame) or not f & abi.TAG for f in stack.frames)
