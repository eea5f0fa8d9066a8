"""The file of the rules: what it means, and what is refused."""

from pathlib import Path

import pytest

from profiler.errors import UsageError
from server.alerts.rules import MOST_RULES, Alerts, Condition, Webhook, read

MINUTE = 60 * 10**9
GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "alerts.md"
RULE = {"name": '"a"', "query": '"cpu"', "function": '"f"', "share": '"20%"'}


def written(tmp_path: Path, text: str) -> Alerts:
    file = tmp_path / "alerts.toml"
    file.write_text(text)
    return read(file)


def rule(**changed: str | None) -> str:
    """As TOML; None leaves a key out."""
    keys = {key: value for key, value in {**RULE, **changed}.items() if value is not None}
    return "[[alert]]\n" + "".join(f"{key.rstrip('_')} = {value}\n" for key, value in keys.items())


def test_the_file_of_the_guide_is_one(tmp_path: Path) -> None:
    found = written(tmp_path, GUIDE.read_text().split("```toml\n")[1].split("```")[0])
    assert found.webhook == Webhook("http://alerts.example:9095/hook", 5 * 10**9)
    assert (found.every_ns, found.page) == (MINUTE, "http://profiler.example:8440")
    assert [one.condition for one in found.rules] == list(Condition)
    share, growth, after = found.rules
    assert (share.bound.column, share.bound.pattern) == ("total", r"json\..*")
    assert (share.bound.relative, share.window_ns, share.for_ns) == (0.2, 15 * MINUTE, 10 * MINUTE)
    assert share.labels == {"severity": "warning", "team": "checkout"}
    assert (growth.bound.pattern, growth.bound.relative) == (None, 0.1)
    assert after.bound.absolute == 0.005


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (rule(query='"cpu{"'), "alert 'a': query 'cpu{': expected a label name"),
        (rule(function='"f("'), "alert 'a': function 'f(': not a regular expression (RE2)"),
        (rule(function=f'"{"f" * 1025}"'), "expected 1 to 1024 printable characters"),
        (rule(function=None), "alert 'a': a share is that of functions: give `function`"),
        (rule(share='"20"'), "alert 'a': share '20': expected a bound such as 10% or 0.5pp"),
        (rule(share="0.2"), "alert 'a': share 0.2: expected"),
        (rule(share='"1pp"'), "alert 'a': share '1pp': expected a part of all, such as 10%"),
        (rule(share=None, growth='"2ms"'), "growth '2ms': expected a bound"),
        (rule(growth='"1%"'), "alert 'a': expected one of share, growth, after_deploy"),
        (rule(share=None), "alert 'a': expected one of share"),
        (rule(cost='"both"'), "alert 'a': cost 'both': choose self or total"),
        (rule(window='"15"'), "alert 'a': window '15': expected 60 s to 604800 s"),
        (rule(for_='"soon"'), "alert 'a': for 'soon': not a duration"),
        (rule(name=None), "alert 1: name None: expected 1 to 1024"),
        (rule(name='"a b"'), "alert 1: name 'a b': expected [\\w"),
        (rule(shares='"1%"'), "alert 1: unknown key shares; there are name, query"),
        (rule(labels='{ "a b" = "c" }'), "alert 'a': labels {'a b': 'c'}: expected at most 32"),
        (rule(labels="{ a = 1 }"), "alert 'a': labels: a 1: expected 1 to 1024"),
        (rule(labels='"x"'), "alert 'a': labels: expected a table, found 'x'"),
        (rule() + rule(), "alert 'a': two rules have this name"),
        (rule() * (MOST_RULES + 1), "expected [[alert]] tables, at most 100"),
        ("alert = 1", "alert 1: expected [[alert]] tables"),
        ("alert = [1]", "alert 1: expected a table, found 1"),
        ('every = "1s"', "every '1s': expected 10 s to 3600 s"),
        ("[webhook]", "webhook: url None: expected 1 to 1024"),
        ('[webhook]\nurl = "ftp://a/"', "webhook: url: expected http://HOST"),
        ('[webhook]\nurl = "http://a:b/"', "webhook: url: expected http://HOST"),
        ('[webhook]\nurl = "http://a"\ntimeout = "1h"', "webhook: timeout '1h': expected 1 s"),
        ("x = [", "alerts.toml: "),
        ("#" * (1 << 20) + "#", "more than 1048576 bytes"),
    ],
)
def test_a_mistake_is_refused_with_the_rule_and_the_value(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        written(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path}/alerts.toml: ")
    assert says in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*: No such file"):
        read(tmp_path / "alerts.toml")
