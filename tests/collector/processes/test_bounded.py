from hypothesis import given
from hypothesis import strategies as st

from collector.processes.bounded import Bounded


def test_what_was_used_least_recently_goes_first() -> None:
    cache = Bounded[str, int](limit=2, weigh=lambda value: 1)
    cache["a"], cache["b"] = 1, 2
    assert cache.get("a") == 1
    cache["c"] = 3
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    assert cache.evictions == 1


def test_an_entry_that_weighs_more_than_the_limit_stays_alone() -> None:
    cache = Bounded[str, int](limit=10, weigh=lambda value: value)
    cache["small"], cache["large"] = 1, 100
    assert (len(cache), cache.get("large"), cache.weight) == (1, 100, 100)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9))))
def test_the_weight_is_that_of_what_it_holds(writes: list[tuple[int, int]]) -> None:
    cache = Bounded[int, int](limit=12, weigh=lambda value: value)
    for key, weight in writes:
        cache[key] = weight
    held = [value for key in range(6) if (value := cache.get(key)) is not None]
    assert cache.weight == sum(held) and len(cache) == len(held)
    assert cache.weight <= 12
