import pytest

from profiler.analysis.grouping import FunctionKey
from profiler.analysis.matching import canonical, shared
from profiler.model import Kind


def key(function: str, file: str = "", binary: str = "") -> FunctionKey:
    return function, file, binary, Kind.NATIVE


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("parse.cold", "parse"),
        ("parse.isra.0.constprop.3.cold.1", "parse"),
        ("parse.part.12", "parse"),
        ("parse.llvm.8061234567", "parse"),
        ("parse [clone .cold] [clone .isra.0]", "parse"),
        ("core::fmt::write::h0123456789abcdef", "core::fmt::write"),
        (
            "a::run()::{lambda(int)#2}::operator()(int) const",
            "a::run()::{lambda(int)}::operator()(int) const",
        ),
        ("run()::$_3::operator()() const", "run()::$_::operator()() const"),
        ("main.serve.func1.2", "main.serve.func"),
        ("com.example.Cart$$Lambda$17/0x00000008000c", "com.example.Cart$$Lambda"),
        ("[unknown] libx.so+0x12ab", "[unknown] libx.so+0x"),
    ],
)
def test_what_compilers_number_is_left_out_of_a_name(name: str, plain: str) -> None:
    assert canonical(name) == plain


@pytest.mark.parametrize(
    "name", ["parse", "func1", "cold", "x.coldness", "std::hash<int>", ".cold"]
)
def test_other_names_stay_as_they_are(name: str) -> None:
    assert canonical(name) == name


def test_a_hot_and_a_cold_part_on_both_sides_stay_two() -> None:
    both = {key("f"), key("f.cold")}
    assert shared(both, both) == {one: one for one in both}


def test_parts_that_one_side_alone_has_join_their_function() -> None:
    assert shared({key("f")}, {key("f"), key("f.cold")}) == {
        key("f"): key("f"),
        key("f.cold"): key("f"),
    }


def test_a_function_of_a_build_in_another_folder_is_the_same() -> None:
    before, after = (
        key("f", "/1/a.c", "/app/1.4/libx.so.1"),
        key("f", "/2/a.c", "/app/1.5/libx.so.2"),
    )
    found = shared({before}, {after})
    assert found[before] == found[after]


def test_a_function_without_debug_information_is_the_same_if_it_can_be_no_other() -> None:
    debugged, stripped = key("f", "a.c", "app"), key("f", "", "app")
    found = shared({debugged}, {stripped})
    assert found[debugged] == found[stripped]
    other = key("f", "b.c", "app")
    assert shared({debugged, other}, {stripped})[stripped] == stripped


def test_namesakes_in_two_files_stay_two_where_one_side_has_not_sampled_one_of_them() -> None:
    one, other = key("read", "a.c"), key("read", "b.c")
    assert shared({one, other}, {one}) == {one: one, other: other}


def thread(name: str) -> FunctionKey:
    return name, "", "", Kind.THREAD


@pytest.mark.parametrize(
    ("before", "after", "both"),
    [
        ({"shop-v1"}, {"shop-v2"}, "shop-v#"),
        ({"python3.11"}, {"python3.12"}, "python#.#"),
        ({"pool-1", "pool-2"}, {"pool-1", "pool-2", "pool-3"}, "pool-#"),
    ],
)
def test_threads_whose_names_differ_in_numbers_are_one(
    before: set[str], after: set[str], both: str
) -> None:
    sides = ({thread(name) for name in before}, {thread(name) for name in after})
    assert shared(*sides) == dict.fromkeys(sides[0] | sides[1], thread(both))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"pool-1", "pool-2"}, {"pool-1", "pool-2"}),
        ({"pool-1", "pool-2"}, {"main"}),
        ({"w.cold"}, {"w"}),
    ],
)
def test_other_threads_stay_what_they_are(before: set[str], after: set[str]) -> None:
    sides = ({thread(name) for name in before}, {thread(name) for name in after})
    assert shared(*sides) == {one: one for one in sides[0] | sides[1]}


@pytest.mark.parametrize(
    "part", [".cold", ".cold.1", " [clone ", " [clone x]", "{lambda(", "{lambda()", ".__uniq.1"]
)
def test_a_hostile_name_takes_no_longer_than_its_length(part: str) -> None:
    """These took the square of it."""
    name = part * 40_000 + "x"
    assert canonical(name) == name


def test_a_lambda_within_a_lambda_has_no_number_either() -> None:
    assert canonical("{lambda({lambda(int)#2}&)#1}") == "{lambda({lambda(int)}&)}"
