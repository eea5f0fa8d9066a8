from collections.abc import Callable

import pytest

from collector.labels.environment import (
    MAX_ATTRIBUTES,
    MAX_VALUE,
    NAMES,
    attributes,
    parse_attributes,
    parse_environment,
)


def every(name: str) -> bool:
    return True


def test_only_what_is_wanted_is_kept() -> None:
    data = b"SECRET=1\0DD_SERVICE=shop\0MY_DD_SERVICE=no\0DD_ENV\0APP_ID=7\0DD_VERSION=\0"
    found = parse_environment(data, NAMES, lambda name: name.startswith("APP_"))
    assert found == (("APP_ID", "7"), ("DD_SERVICE", "shop"), ("DD_VERSION", ""))
    assert parse_environment(b"MY_DD_SERVICE=no\0DD_SERVICE=shop\0", NAMES) == found[1:2]


def test_of_a_name_that_stands_twice_the_first_counts() -> None:
    assert parse_environment(b"A=1\0A=2\0", [b"A"]) == (("A", "1"),)
    assert parse_environment(b"A=1\0A=2\0", (), every) == (("A", "1"),)


def test_what_is_cut_or_no_variable_is_left_out() -> None:
    data = b"worker process\0A=x=y\0B=cu"
    assert parse_environment(data, [b"A", b"B", b"C"]) == (("A", "x=y"),)
    assert parse_environment(data, (), every) == (("A", "x=y"),)
    assert parse_environment(b"", NAMES, every) == ()


@pytest.mark.parametrize(("names", "matches"), [([b"A"], None), ((), every)])
def test_values_are_printable_and_bounded_and_long_names_are_nobodys(
    names: list[bytes], matches: Callable[[str], bool] | None
) -> None:
    data = b"A=\xff\x1b[2J" + b"x" * 100_000 + b"\0" + b"n" * 1000 + b"=1\0"
    ((name, value),) = parse_environment(data, names, matches)
    assert name == "A" and value.startswith("\\xff\\x1b[2J") and len(value) <= MAX_VALUE + 20


def test_attributes_are_percent_decoded_and_trimmed() -> None:
    text = " service.name = check%20out , service.version=1.4%2Bfix%3D%C3%A9,"
    assert parse_attributes(text) == {"service.name": "check out", "service.version": "1.4+fix=é"}


@pytest.mark.parametrize("mistake", ["a", "=1", "a=%", "a=%2", "a=%zz", "a=%ff", "%=1"])
def test_one_mistake_discards_all_attributes(mistake: str) -> None:
    assert parse_attributes(f"service.name=shop,{mistake}") == {}


def test_attributes_are_bounded() -> None:
    pairs = [f"a{number}=1" for number in range(MAX_ATTRIBUTES + 1)]
    assert parse_attributes(",".join(pairs)) == {}
    assert len(parse_attributes(",".join(pairs[1:]))) == MAX_ATTRIBUTES


def test_the_name_of_the_service_stands_above_the_attributes_and_those_above_datadogs() -> None:
    declared = {
        "OTEL_SERVICE_NAME": "one",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=two,deployment.environment=old",
        "DD_SERVICE": "three",
        "DD_VERSION": "1.2",
        "DD_ENV": "prod",
    }
    assert attributes(declared)["service.name"] == "one"
    del declared["OTEL_SERVICE_NAME"]
    assert attributes(declared) == {
        "service.name": "two",
        "service.version": "1.2",
        "deployment.environment": "old",
        "deployment.environment.name": "old",
    }
    del declared["OTEL_RESOURCE_ATTRIBUTES"]
    assert attributes(declared)["service.name"] == "three"
    assert attributes(declared)["deployment.environment.name"] == "prod"


def test_what_is_empty_says_nothing() -> None:
    assert attributes({"OTEL_SERVICE_NAME": "", "DD_SERVICE": " "}) == {}
