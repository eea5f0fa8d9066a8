from collector.labels.series import Series
from profiler.model import Labels

OTHER: Labels = (("service_name", "[other]"),)


def labels(number: int) -> Labels:
    return (("service_name", str(number)),)


def admitted(series: Series, *numbers: int) -> list[str]:
    series.begin_drain()
    return [series.admit(labels(number))[0][1] for number in numbers]


def test_what_is_beyond_the_limit_is_one_series_more() -> None:
    assert admitted(Series(OTHER, 2), 1, 2, 3, 1, 4) == ["1", "2", "[other]", "1", "[other]"]


def test_at_the_limit_the_series_of_the_drain_before_go_on() -> None:
    series = Series(OTHER, 2)
    admitted(series, 1, 2)
    assert admitted(series, 3, 2, 1) == ["[other]", "2", "1"]


def test_what_was_not_in_a_drain_leaves_its_place_to_others_after_it() -> None:
    series = Series(OTHER, 2)
    admitted(series, 1, 2)
    assert admitted(series, 3, 2) == ["[other]", "2"]
    assert admitted(series, 3, 2) == ["3", "2"]


def test_never_more_series_than_the_limit_and_the_other() -> None:
    series = Series(OTHER, 10)
    for drain in range(5):
        numbers = range(7 * drain, 7 * drain + 20)
        assert len(set(admitted(series, *numbers))) <= 11
