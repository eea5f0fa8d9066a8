import pytest

from profiler.analysis import rules
from profiler.analysis.rules import Rule, parse
from profiler.errors import UsageError


def test_a_rule_is_a_column_and_a_bound() -> None:
    assert parse("self>+0.5pp") == Rule("self>+0.5pp", "self", None, absolute=0.005, per="share")


def test_a_rule_about_some_functions_has_an_expression_for_the_whole_name() -> None:
    rule = parse("total:json.*>+10%")
    assert (rule.column, rule.pattern, rule.relative, rule.per) == ("total", "json.*", 0.1, None)
    assert rule.matches(["json.loads", "my.json.loads"]) == [True, False]


def test_an_expression_may_hold_what_a_rule_is_made_of() -> None:
    rule = parse("self:operator>|std::map<int>.*>+1pp")
    assert rule.matches(["operator>", "std::map<int>::at"]) == [True, True]


@pytest.mark.parametrize(
    ("text", "absolute", "per"),
    [
        ("self>+0.05cores", 0.05, "cores"),
        ("self>2ms", 2e6, "request"),
        ("self > +3 us", 3e3, "request"),
    ],
)
def test_bounds_have_the_units_of_their_denominators(text: str, absolute: float, per: str) -> None:
    assert (parse(text).absolute, parse(text).per) == (absolute, per)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("self", "expected COLUMN"),
        ("cum>+1pp", "'cum' is no column; choose self or total"),
        ("self>+1", "no unit after 1"),
        ("self>+1px", "px after 1; choose from %, pp"),
        ("self>-1pp", "'-1pp' is no bound"),
        ("self>+pp", r"'\+pp' is no bound"),
        ("self:(>+1pp", "not a regular expression"),
        ("", "expected COLUMN"),
    ],
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(text)


def test_denominators_are_not_mixed() -> None:
    rules.check([parse("self>+1pp"), parse("self>+10%")], "share")
    with pytest.raises(UsageError, match="is a bound per share: add --per share"):
        rules.check([parse("self>+1pp")], "cores")
