import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import SelectorError
from profiler.selector import MAX_LENGTH, Matcher, Selector, parse

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
plain = st.builds(Matcher, names, st.sampled_from(["=", "!="]), values)
selectors = st.builds(Selector, names, st.lists(plain, max_size=4).map(tuple))


@given(selectors)
def test_canonical_text_parses_to_an_equal_selector(selector: Selector) -> None:
    assert parse(str(selector)) == selector


@given(st.text(max_size=40) | st.text("cpu{}a=~!\"'`\\,x0 ", max_size=40))
def test_any_text_is_a_selector_or_a_mistake_at_a_place_in_it(text: str) -> None:
    try:
        parse(text)
    except SelectorError as error:
        assert 0 <= error.position <= len(text)


@pytest.mark.parametrize("text", ["cpu", "cpu{}", " cpu { } "])
def test_a_type_alone_selects_everything_of_it(text: str) -> None:
    assert parse(text) == Selector("cpu")
    assert parse(text).matches({"host_name": "a"})


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ('"1\\\\.4"', "1\\.4"),
        ("'it\\'s'", "it's"),
        ("`a\\n\"'`", "a\\n\"'"),
        (r'"\t\x41\101\u00e9\U0001f600"', "\tAAé😀"),
        ('"}"', "}"),
    ],
)
def test_strings_have_the_quotes_and_escapes_of_promql(literal: str, value: str) -> None:
    assert parse(f"cpu{{a={literal},}}").matchers == (Matcher("a", "=", value),)


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "expected a profile type, such as cpu, found the end"),
        ('{a="b"}', 0, 'expected a profile type, such as cpu, found "{"'),
        ("cpu x", 4, 'expected { or the end, found "x"'),
        ("cpu{,}", 4, 'expected a label name or }, found ","'),
        (
            'cpu{host_name:"a"}',
            13,
            'expected a matcher operator (=, !=, =~, !~) after label "host_name", found ":"',
        ),
        ('cpu{a=="b"}', 5, 'expected a matcher operator (=, !=, =~, !~) after label "a"'),
        ("cpu{a=b}", 6, 'expected a quoted value after a=, found "b"'),
        ('cpu{a="b" c="d"}', 10, 'expected a comma or } after the matcher of "a", found "c"'),
        ('cpu{a="b"', 9, 'expected a comma or } after the matcher of "a", found the end'),
        ('cpu{a="b"}}', 10, 'expected the end after }, found "}"'),
        ('cpu{a="b}', 6, 'the string has no closing "'),
        ('cpu{a="x\\q"}', 8, "unknown escape \\q"),
        ('cpu{a="\\\'"}', 7, "unknown escape \\'"),
        ('cpu{a="\\xff"}', 7, "unknown escape \\xff"),
        ('cpu{a="\\ud800"}', 7, "unknown escape \\ud800"),
        ('cpu{a=~"("}', 7, "not a regular expression (RE2): missing )"),
        ('cpu{a=~"(x)\\\\1"}', 7, "not a regular expression (RE2): invalid escape sequence"),
        ("cpu" * MAX_LENGTH, MAX_LENGTH, f"a selector has at most {MAX_LENGTH} characters"),
        ("cpu\udc80", 3, "a selector is Unicode text"),
    ],
)
def test_a_mistake_is_named_where_it_stands(text: str, position: int, message: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse(text)
    assert caught.value.position == position
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("matcher", "labels", "expected"),
    [
        ('a="x"', {"a": "x"}, True),
        ('a="x"', {"a": "xy"}, False),
        ('a="x"', {}, False),
        ('a=""', {}, True),
        ('a!="x"', {}, True),
        ('a=~"x|y"', {"a": "y"}, True),
        ('a=~"x|y"', {"a": "xy"}, False),
        ('a=~".*"', {}, True),
        ('a=~".+"', {}, False),
        ('a=~"x.y"', {"a": "x\ny"}, True),
        ('a!~"x.*"', {"a": "xy"}, False),
        ('a!~"x.*"', {}, True),
        ('a="x",b="y"', {"a": "x", "b": "z"}, False),
    ],
)
def test_matchers_mean_what_they_mean_in_promql(
    matcher: str, labels: dict[str, str], expected: bool
) -> None:
    assert parse(f"cpu{{{matcher}}}").matches(labels) is expected


def test_no_pattern_can_keep_the_matcher_busy() -> None:
    selector = parse('cpu{a=~"(a+)+(a|aa)+(.*a){20}b"}')
    started = time.process_time()
    assert not selector.matches({"a": "a" * 10_000})
    assert time.process_time() - started < 1


def test_a_pattern_that_would_take_megabytes_is_refused() -> None:
    with pytest.raises(SelectorError, match="too large"):
        parse(r'cpu{a=~"\\pL{1000}"}')
