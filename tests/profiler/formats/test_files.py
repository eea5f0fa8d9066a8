import gzip
import io
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import FormatError
from profiler.formats import FORMATS, Format, files, limits, lines
from profiler.formats.lines import Mistakes
from tests.builders import profile, stacks


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("packed", (False, True), ids=("plain", "gzipped"))
def test_a_format_is_found_by_what_a_file_holds(format: Format, packed: bool) -> None:
    data = format.dumps(profile("main;f 3", "main 1"))
    if format.name == "pprof":
        data = gzip.decompress(data)
    (found,) = files.loads(gzip.compress(data) if packed else data)
    assert set(stacks(found)) == {("main", "f"), ("main",)}


def test_what_is_read_of_a_pipe_comes_in_pieces() -> None:
    class Pipe(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 1, 3))

    assert stacks(files.load(Pipe(b"main;f 3\nmain 1\n"))[0]) == {("main", "f"): 3, ("main",): 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an empty file"),
        (b"hello, world\n", "none of the formats recording, pprof, .* begins with b'hello"),
        (b"PERFILE2" + bytes(100), "perf's binary data: give the text of `perf script"),
        (b"\x7fELF" + bytes(100), "a program, not a profile"),
        (gzip.compress(os.urandom(100_000))[:5000], "none of the formats|not a gzip file"),
        (b"\x1f\x8b" + bytes(50), "not a gzip file"),
        (gzip.compress(b"main 1\n" * 10_000)[:-10], "not a gzip file"),
    ],
)
def test_what_is_no_profile_is_named(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        files.loads(data)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_TEXT_BYTES", 1 << 20)
    bomb = gzip.compress(b"main;f 1\n" + b"main 1\n" * 400_000)
    with pytest.raises(FormatError, match="more than 1,048,576 bytes of text"):
        files.loads(bomb)
    monkeypatch.setattr(limits, "MAX_BYTES", 1 << 20)
    with pytest.raises(FormatError, match="more than 1,048,576"):
        files.loads(gzip.compress(b"\x0a" + bytes(2 << 20)))
    with pytest.raises(FormatError, match="line 2 has more than"):
        files.loads(gzip.compress(b"main 1\n" + b"a" * (lines.MAX_LINE_BYTES + 10)))


def test_unreadable_lines_are_kept_for_those_who_want_the_rest() -> None:
    mistakes = Mistakes()
    (found,) = files.load(io.BytesIO(b"main 1\nwhat\n;; 3\nmain 2\n"), mistakes)
    assert stacks(found) == {("main",): 3}
    assert str(mistakes) == (
        "line 2: expected a count after the last space, got 'what' (and 1 more unreadable line)"
    )


starts = st.sampled_from([b"", b"{", b"\x0a\x04", b"\x20\x0a\x10", b"a 1 cycles:\n", b"\x1f\x8b"])


@given(starts, st.binary(max_size=80), st.booleans())
def test_any_bytes_are_profiles_or_a_format_error(start: bytes, rest: bytes, packed: bool) -> None:
    data = start + rest
    try:
        files.loads(zlib.compress(data, wbits=31) if packed else data)
    except FormatError as error:
        assert str(error)


@pytest.mark.parametrize("line", ["{} 1\n", "\tffff {} (b)\n"])
def test_the_names_in_a_file_are_bounded(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text may be as long as it likes, what is kept of it may not."""
    monkeypatch.setattr(limits, "MAX_TEXT", 100_000)
    names = (f"{number}{'a' * 5000}" for number in range(100))
    start = "" if line.startswith("{") else "a 1 [0] 1.0: 1 cycles:\n"
    data = start + "".join(f"{line.format(name)}{start and chr(10) + start}" for name in names)
    with pytest.raises(FormatError, match="names of more than 100,000 characters in all frames"):
        files.loads(data.encode())


def test_a_long_name_is_cut() -> None:
    (found,) = files.loads(b"main 1\n" + b"a" * 100_000 + b" 1\n")
    assert len(found.frames[1].function) == limits.MAX_NAME
