from hypothesis import given
from hypothesis import strategies as st

from collector.processes.text import printable


def test_plain_names_pass_unchanged() -> None:
    assert printable("größe::<T>") == "größe::<T>"


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert printable(b"a\x1b[2J\n\xff") == "a\\x1b[2J\\n\\xff"


def test_long_names_are_cut_and_say_so() -> None:
    assert printable("x" * 2000, limit=10) == "x" * 9 + "…"


@given(st.binary(max_size=200) | st.text(st.characters(), max_size=200))
def test_the_result_is_always_printable_bounded_text(name: bytes | str) -> None:
    shown = printable(name, limit=50)
    assert shown.isprintable() and len(shown) <= 50 * len("\\U0001f600")
    shown.encode()
