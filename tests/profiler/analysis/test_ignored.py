from datetime import date

import pytest

from profiler.analysis.ignored import loads
from profiler.errors import UsageError

ENTRY = """
[[ignore]]
function = "regex_*"
reason = "the new parser, issue 1234"
expires = 2027-01-31
"""


def test_an_entry_bears_what_matches_to_the_end_of_its_last_day() -> None:
    ignored = loads(ENTRY, date(2027, 1, 31), "ignore.toml")
    assert ignored.reason("regex_match") == "ignored until 2027-01-31: the new parser, issue 1234"
    assert ignored.reason("my_regex_match") == ""
    assert ignored.expired == ()


def test_an_expired_entry_bears_nothing_and_is_said() -> None:
    ignored = loads(ENTRY, date(2027, 2, 1), "ignore.toml")
    assert ignored.reason("regex_match") == ""
    assert [entry.function for entry in ignored.expired] == ["regex_*"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[ignore]]\nfunction = 'f'", "entry 1 needs function, reason, expires"),
        (ENTRY + "since = 1", "and nothing else"),
        (ENTRY.replace("2027-01-31", "'soon'"), "expires is a day"),
        (ENTRY.replace("2027-01-31", "2027-01-31T00:00:00Z"), "expires is a day"),
        (ENTRY.replace('"the new parser, issue 1234"', '" "'), "function and reason are texts"),
        ("ignored = 1", "expected tables"),
        ("[[ignore", "ignore.toml: "),
        ("a = " + "[" * 100_000, "ignore.toml: not TOML: maximum recursion depth"),
    ],
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        loads(text, date(2027, 1, 1), "ignore.toml")
