import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import FormatError, UsageError
from profiler.formats import folded, limits
from profiler.model import Frame, Profile, ProfileBuilder
from tests.builders import PERIOD_NS, profile, stacks
from tests.profiler.strategies import profiles


def test_a_stack_is_a_line_from_the_root_with_its_samples() -> None:
    assert folded.dumps(profile("main;g 1", "main;f 3", "main 2")) == (
        b"main 2\nmain;f 3\nmain;g 1\n"
    )


def test_the_value_is_written_where_it_is_asked_for() -> None:
    assert folded.dumps(profile("main 2"), "value") == f"main {2 * PERIOD_NS}\n".encode()


def test_stacks_that_read_the_same_are_one_line() -> None:
    builder = ProfileBuilder()
    builder.add([Frame("f", line=1)], 1)
    builder.add([Frame("f", line=2)], 2)
    assert folded.dumps(builder.build()) == b"f 3\n"


def test_what_would_break_a_line_is_escaped_as_in_urls() -> None:
    builder = ProfileBuilder()
    builder.add([Frame("a;b\n\r"), Frame("operator%"), Frame("%3B%41"), Frame("")], 1)
    assert folded.dumps(builder.build()) == b"a%3Bb%0A%0D;operator%;%253B%41;[unknown] 1\n"


@given(profiles())
def test_what_is_written_is_read_back_by_name(profile: Profile) -> None:
    again = folded.loads(folded.dumps(profile))
    assert stacks(again) == stacks(profile)
    assert again.total_value == again.total_samples == profile.total_samples
    assert folded.dumps(again) == folded.dumps(profile)


def test_names_may_hold_spaces_and_lines_may_end_as_on_windows() -> None:
    loaded = folded.loads(b"do it now;f  3\r\n\n  \n 4\n")
    assert stacks(loaded) == {("do it now", "f "): 3, (): 4}


def test_bytes_that_are_not_text_are_shown() -> None:
    assert stacks(folded.loads(b"f\xff 1\n")) == {("f\\xff",): 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a 1\nmain;f\n", "line 2: expected a count after the last space, got 'main;f'"),
        (b"a 1.5", "line 1: expected a count after the last space, got 'a 1.5'"),
        (b"a -1\nb\nc\n", "got 'a -1' (and 2 more unreadable lines)"),
        (b"a;;b 1", "line 1: a frame without a name in 'a;;b 1'"),
        (b"a;" * 5000 + b"a 1", "a stack of 5,001 frames, more than 4,096"),
        (b"a 9999999999999999999\n", "counts that add up to more than 9223372036854775807"),
        (b"a " + b"9" * 5000, "line 1: expected a count"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        folded.loads(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_file_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_NODES", 3)
    with pytest.raises(FormatError, match="more than 3 different nodes"):
        folded.loads(b"a 1\nb 1\nc 1\n")
    monkeypatch.setattr(limits, "MAX_BYTES", 5)
    with pytest.raises(FormatError, match="6 bytes, more than 5"):
        folded.loads(b"aaa 1\n")


@given(st.binary(max_size=60) | st.text("a; 1\n%", max_size=60).map(str.encode))
def test_any_bytes_are_a_profile_or_a_format_error(data: bytes) -> None:
    try:
        folded.loads(data)
    except FormatError as error:
        assert "line " in str(error) or "counts" in str(error)


def test_what_is_written_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a megabyte can mean terabytes of this: each stack repeats its names."""
    monkeypatch.setattr(folded, "MAX_WRITTEN", 20)
    assert folded.dumps(profile("main;f 1", "main;g 2", "main 0")) == b"main;f 1\nmain;g 2\n"
    with pytest.raises(UsageError, match="of more than 20 characters: choose another format"):
        folded.dumps(profile("main;f;g 1", "main;f;g;h 2", "main 3"))
