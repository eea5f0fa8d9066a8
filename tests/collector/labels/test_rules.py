import pytest

from collector.labels.rules import MAX_VALUE, Rules, parse_rule
from profiler.errors import UsageError


def apply(labels: dict[str, str], *rules: dict[str, object]) -> dict[str, str] | None:
    return Rules(tuple(map(parse_rule, rules))).apply(labels)


def rule(**keys: object) -> dict[str, object]:
    return keys


def test_replace_puts_what_matches_into_another_label() -> None:
    made = apply(
        {"a": "team-7", "b": "x"},
        rule(source_labels=["a", "b"], regex="team-(?P<n>[0-9]+);(.)", target_label="c",
             replacement="${n}/$2/$$/$9/$none"),
    )  # fmt: skip
    assert made == {"a": "team-7", "b": "x", "c": "7/x/$//"}


def test_an_expression_matches_as_a_whole_or_not_at_all() -> None:
    assert apply({"a": "xbx"}, rule(source_labels=["a"], regex="b", target_label="a")) == {
        "a": "xbx"
    }


def test_without_anything_but_a_target_a_rule_sets_a_label() -> None:
    assert apply({}, rule(target_label="a", replacement="b")) == {"a": "b"}


def test_an_empty_value_takes_the_label_away() -> None:
    assert apply({"a": "1"}, rule(target_label="a", replacement="")) == {}


def test_the_target_may_be_made_of_what_matches_if_it_is_a_label_then() -> None:
    named = rule(source_labels=["a"], regex="(.*)=(.*)", target_label="x_$1", replacement="$2")
    assert apply({"a": "k=v"}, named) == {"a": "k=v", "x_k": "v"}
    assert apply({"a": "-=v"}, named) == {"a": "-=v"}


def test_the_separator_stands_between_the_sources_and_what_is_missing_is_empty() -> None:
    joined = rule(source_labels=["a", "none", "b"], separator="|", target_label="c")
    assert apply({"a": "1", "b": "2"}, joined) == {"a": "1", "b": "2", "c": "1||2"}


def test_keep_and_drop_choose_processes() -> None:
    one = {"a": "1"}
    assert apply(one, rule(action="keep", source_labels=["a"], regex="1")) == one
    assert apply(one, rule(action="keep", source_labels=["a"], regex="2")) is None
    assert apply(one, rule(action="drop", source_labels=["a"], regex="2")) == one
    assert apply(one, rule(action="drop", source_labels=["a"], regex="1")) is None


def test_labels_are_mapped_dropped_and_kept_by_their_names() -> None:
    labels = {"k8s_pod": "p", "k8s_node": "n", "host": "h"}
    mapped = apply(labels, rule(action="labelmap", regex="k8s_(.*)"))
    assert mapped == {**labels, "pod": "p", "node": "n"}
    assert apply(labels, rule(action="labeldrop", regex="k8s_.*")) == {"host": "h"}
    assert apply(labels, rule(action="labelkeep", regex="host")) == {"host": "h"}


def test_case_is_changed_and_numbers_are_prometheuss() -> None:
    assert apply({"a": "Ab"}, rule(action="lowercase", source_labels=["a"], target_label="a")) == {
        "a": "ab"
    }
    assert apply({"a": "Ab"}, rule(action="uppercase", source_labels=["a"], target_label="a")) == {
        "a": "AB"
    }
    # From model/relabel/relabel_test.go of Prometheus: "baz", modulus 1,000, makes 976.
    hashed = rule(action="hashmod", source_labels=["c"], target_label="d", modulus=1000)
    assert apply({"c": "baz"}, hashed) == {"c": "baz", "d": "976"}


def test_a_rule_sees_what_the_ones_before_it_made_and_meta_labels_are_gone_at_the_end() -> None:
    made = apply(
        {"__command_line": "java -jar shop.jar"},
        rule(source_labels=["__command_line"], regex=r".* (\w+)\.jar", target_label="__jar"),
        rule(source_labels=["__jar"], target_label="service_name"),
    )
    assert made == {"service_name": "shop"}


def test_a_value_may_have_any_character_and_is_bounded() -> None:
    assert apply({"a": "x\ny"}, rule(source_labels=["a"], target_label="b"))["b"] == "x\ny"  # type: ignore[index]
    twice = rule(source_labels=["a"], target_label="a", replacement="$1$1")
    made = apply({"a": "x"}, *[twice] * 40)
    assert made and len(made["a"]) == MAX_VALUE


def test_meta_labels_are_asked_for_by_name_alone() -> None:
    rules = Rules(
        (
            parse_rule(rule(source_labels=["__uid", "__environment_TEAM"], target_label="t")),
            parse_rule(rule(action="labelmap", regex="__environment_(APP_.*)")),
            parse_rule(rule(action="labelmap", regex="(__.*|.*)", replacement="x_$1")),
        )
    )
    assert rules.names("__uid") and not rules.names("__command_line")
    assert rules.variables() == {b"TEAM"} and rules.map_variables
    variables = [rules.names("__environment_" + name) for name in ("TEAM", "APP_ID", "APP", "KEY")]
    assert variables == [True, True, False, False]


def test_a_labelmap_asks_for_what_it_names_or_for_a_family() -> None:
    rules = Rules(
        (
            parse_rule(rule(action="labelmap", regex="__(uid)")),
            parse_rule(rule(action="labelmap", regex="__pod_label_(app_.*)")),
        )
    )
    asked = ("__pod_label_app_x", "__pod_label_x", "__pod_annotation_app_x", "__uid")
    assert [rules.names(name) for name in asked] == [True, False, False, False]
    assert not rules.map_variables


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (rule(action="destroy"), "no action 'destroy'"),
        (rule(source_label=["a"]), "no key 'source_label'"),
        (rule(source_labels=["a"]), "replace needs a target_label"),
        (rule(action="keep", regex="x"), "keep needs source_labels"),
        (rule(source_labels="a", target_label="b"), "is no list of strings"),
        (rule(source_labels=[1], target_label="b"), "is no list of strings"),
        (rule(target_label="b", regex=1), "regex = 1 is no string"),
        (rule(target_label="b", regex="(a"), "regex '(a'"),
        (rule(target_label="b", regex=r"(a)\1"), r"regex '(a)\\1'"),
        (rule(target_label="a-b"), "'a-b' is no label"),
        (rule(source_labels=["a b"], target_label="b"), "'a b' is no label"),
        (rule(action="hashmod", source_labels=["a"], target_label="b"), "modulus"),
        (rule(target_label="b", modulus=2), "modulus"),
        (rule(target_label="b", modulus=-2), "modulus"),
    ],
)
def test_a_rule_that_can_do_nothing_is_refused_by_name(keys: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_rule(keys)
    assert said in str(error.value)
