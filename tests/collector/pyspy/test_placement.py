"""The laws of dividing samples: none more, none less, and each part within one of its share."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from collector.pyspy.placement import MARKER, Sample, Sighting, apportion, place, runs_python
from profiler.model import Frame, Kind

LOOP = Frame("_PyEval_EvalFrameDefault", binary="python3.7")
WITHIN = Frame("PyNumber_Add", binary="python3.7")
OUTSIDE = Frame("deflate", binary="libz.so.1")
READ = Frame("sys_read", binary="[kernel]", kind=Kind.KERNEL)
ONE, THREE = (Frame(name, "a.py", 1, kind=Kind.PYTHON) for name in ("one", "three"))
EVERYTHING = 1 << 40


def sample(thread: str, count: int, *frames: Frame) -> Sample:
    return Sample(thread, (Frame(thread, kind=Kind.THREAD), *frames), count)


def named(samples: list[Sample]) -> Counter[tuple[str, ...]]:
    found = Counter[tuple[str, ...]]()
    for one in samples:
        found[tuple(frame.function for frame in one.frames)] += one.count
    return found


def placed(
    samples: list[Sample], sighting: Sighting, room: int = EVERYTHING
) -> Counter[tuple[str, ...]]:
    return named(list(place(samples, sighting, room)))


weights = st.lists(st.integers(0, 1000), max_size=20)


@given(st.integers(0, 10_000), weights.filter(any))
def test_parts_add_up_and_are_within_one_of_their_share(total: int, weights: list[int]) -> None:
    parts = apportion(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < sum(weights)


def test_nothing_is_divided_by_nothing() -> None:
    assert apportion(0, []) == []
    assert apportion(7, [0, 0]) == [0, 0]


def test_a_stack_that_was_walked_is_left_alone() -> None:
    assert not runs_python((LOOP, ONE, WITHIN))


def test_a_native_stack_through_the_loop_runs_python() -> None:
    assert runs_python((LOOP, OUTSIDE, READ))
    assert not runs_python((WITHIN, OUTSIDE, READ))
    assert not runs_python((Frame(LOOP.function, kind=Kind.PYTHON),))


def test_samples_are_divided_as_py_spy_saw_them_below_a_marker() -> None:
    seen = Sighting({"": [((ONE,), 30), ((ONE, THREE), 90)]})
    assert placed([sample("t", 3, LOOP), sample("t", 5, LOOP, WITHIN, READ)], seen) == {
        ("t", MARKER.function, "one"): 2,
        ("t", MARKER.function, "one", "three"): 6,
    }


def test_a_thread_gets_its_own_stacks_and_those_of_threads_without_a_name() -> None:
    seen = Sighting({"a": [((ONE,), 1)], "b": [((THREE,), 1)], "": [((THREE, ONE), 1)]})
    assert placed([sample("a", 2, LOOP)], seen) == {
        ("a", MARKER.function, "one"): 1,
        ("a", MARKER.function, "three", "one"): 1,
    }


def test_where_nothing_was_seen_the_native_stack_stays() -> None:
    seen = Sighting({"a": [((ONE,), 1)]})
    assert placed([sample("b", 2, LOOP, WITHIN)], seen) == {
        ("b", LOOP.function, WITHIN.function): 2
    }


def test_code_outside_of_the_interpreter_keeps_its_stack_where_the_lock_was_not_held() -> None:
    seen = Sighting({"": [((ONE,), 1)]}, held=0.1)
    samples = [sample("t", 60, LOOP, OUTSIDE), sample("t", 8, LOOP, WITHIN), sample("t", 2, LOOP)]
    assert placed(samples, seen, room=13) == {
        ("t", MARKER.function, "one"): 13,
        ("t", LOOP.function, OUTSIDE.function): 57,
    }
    assert placed(samples, seen, room=5)["t", MARKER.function, "one"] == 5


threads = st.sampled_from(["", "a", "b"])
natives = st.lists(st.sampled_from([LOOP, WITHIN, OUTSIDE, READ])).map(lambda more: [LOOP, *more])
kernel_samples = st.lists(
    st.tuples(threads, st.integers(1, 50), natives).map(lambda s: sample(s[0], s[1], *s[2]))
)
pythons = st.lists(st.sampled_from([ONE, THREE]), min_size=1).map(tuple)
sightings = st.dictionaries(
    threads, st.lists(st.tuples(pythons, st.integers(1, 50)), min_size=1)
).map(Sighting)


@given(kernel_samples, sightings, st.integers(0, 500))
def test_no_sample_is_made_or_lost(samples: list[Sample], seen: Sighting, room: int) -> None:
    after = list(place(samples, seen, room))
    before_by_thread, after_by_thread = Counter[str](), Counter[str]()
    for one in samples:
        before_by_thread[one.thread] += one.count
    for one in after:
        assert one.count > 0
        assert one.frames[0] == Frame(one.thread, kind=Kind.THREAD)
        after_by_thread[one.thread] += one.count
    assert before_by_thread == after_by_thread
    given_away = sum(one.count for one in after if one.frames[1] == MARKER)
    placeable = sum(one.count for one in samples if seen.of(one.thread))
    assert given_away == min(room, placeable)


@given(kernel_samples, sightings)
def test_the_native_stacks_that_stay_are_those_that_were(
    samples: list[Sample], seen: Sighting
) -> None:
    stays = [one for one in place(samples, seen, room=7) if one.frames[1] != MARKER]
    assert named(stays) <= named(samples)
