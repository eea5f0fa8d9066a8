import pytest

from collector.kernel import cpus


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0\n", [0]), ("0-3\n", [0, 1, 2, 3]), ("0,2-4,7\n", [0, 2, 3, 4, 7])],
)
def test_a_list_of_cpus_is_numbers_and_ranges(text: str, numbers: list[int]) -> None:
    assert cpus.parse(text) == numbers


def test_no_more_cpus_are_online_than_possible() -> None:
    assert 1 <= len(cpus.online()) <= cpus.possible()
