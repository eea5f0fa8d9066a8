"""What py-spy writes, and what a process could make it write."""

from hypothesis import given
from hypothesis import strategies as st

from collector.pyspy import report
from collector.pyspy.report import CUT, Stack, parse
from profiler.model import Frame, Kind

PID = 700


def python(function: str, file: str = "", line: int = 0) -> Frame:
    return Frame(function, file, line, kind=Kind.PYTHON)


WORK = python("work", "/srv/app.py", 9)


def one(text: bytes) -> Stack:
    (stack,) = parse(text, PID)
    return stack


def test_a_line_is_a_thread_its_frames_and_a_count() -> None:
    text = b"thread (812): Thread-2;<module> (app.py:16);C.work (/srv/a b.py:9) 102\n"
    frames = (python("<module>", "app.py", 16), python("C.work", "/srv/a b.py", 9))
    assert one(text) == Stack(812, frames, 102)


def test_the_main_thread_has_the_number_of_the_process() -> None:
    assert one(b"thread (0x7F20593C7B80): MainThread;work (/srv/app.py:9) 1\n").tid == PID


def test_a_thread_may_be_known_by_its_address_alone() -> None:
    assert one(b"thread (0x7F20593C7B80);work (/srv/app.py:9) 1") == Stack(None, (WORK,), 1)


def test_a_frame_without_a_line_has_its_file() -> None:
    assert one(b"thread (1);work (<frozen>) 1\n").frames == (python("work", "<frozen>"),)


def test_semicolons_in_names_make_frames_without_a_place() -> None:
    text = b"thread (1): a;b;<lambda;2> (app.py:3);work (/srv/app.py:9) 1\n"
    expected = (python("b"), python("<lambda"), python("2>", "app.py", 3), WORK)
    assert one(text).frames == expected


def test_names_are_made_fit_to_show() -> None:
    text = b"thread (1);caf\xe9\x1b[2J (a\tb.py:3) 1\n"
    assert one(text).frames == (python(r"caf\xe9\x1b[2J", r"a\tb.py", 3),)


def test_what_is_no_line_of_a_report_is_left_out() -> None:
    lines = [b"", b"3", b"thread (1) 3", b"work (a.py:3) 3", b"thread (1);work (a.py:3)"]
    lines += [b"thread (1);work (a.py:3) 0", b"thread (1);f 9999999999", b"thread (1);f -1"]
    assert parse(b"\n".join(lines), PID) == []


def test_of_a_deep_stack_the_innermost_frames_are_kept() -> None:
    deep = b"outermost (a.py:1);" + b"f (a.py:2);" * report.MAX_FRAMES
    frames = one(b"thread (1);" + deep[:-1] + b" 5\n").frames
    assert frames == (CUT, *(python("f", "a.py", 2),) * report.MAX_FRAMES)


def test_reports_are_bounded() -> None:
    assert len(parse(b"thread (1);f 1\n" * (report.MAX_STACKS + 1), PID)) == report.MAX_STACKS
    endless = b"thread (1);f 1\n" + b"x" * report.MAX_BYTES + b"\nthread (1);f 1\n"
    assert len(parse(endless, PID)) == 1


pieces = st.sampled_from([b"thread (", b"0x7F", b")", b": MainThread", b";", b" (", b":", b"\n"])


@given(st.lists(pieces | st.binary(max_size=8) | st.just(b" 7")).map(b"".join))
def test_any_text_has_printable_stacks_with_counts(text: bytes) -> None:
    for stack in parse(text, PID):
        assert stack.count > 0
        assert stack.frames
        for frame in stack.frames:
            assert frame.function.isprintable() and frame.file.isprintable()
            assert 0 <= frame.line < 10**9
