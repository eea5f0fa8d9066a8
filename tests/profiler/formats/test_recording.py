import io
from dataclasses import replace

import pytest
from hypothesis import given

from profiler import wire
from profiler.errors import FormatError, UsageError
from profiler.formats import recording
from profiler.model import Drain, Profile, ProfileType
from tests.builders import profile, stacks
from tests.profiler.strategies import frames, profiles

plain = frames.filter(lambda frame: "\0" not in frame.function)  # which no label may hold


@given(profiles(frames=plain))
def test_nothing_of_a_profile_is_lost(profile: Profile) -> None:
    again = recording.loads(recording.dumps(profile))
    assert sorted(again.stacks(), key=repr) == sorted(
        (stack for stack in profile.stacks()), key=repr
    )
    assert (again.type, again.labels) == (profile.type, profile.labels)


def test_drains_of_a_series_are_added_and_series_kept_apart() -> None:
    faults = ProfileType("page_faults", "count")
    file = io.BytesIO()
    for second in range(100):
        parts = (
            profile("main;f 1", labels=(("service_name", "a"),)),
            profile("main;g 2", labels=(("service_name", "b"),)),
        )
        drain = Drain("h", second * 10**9, 10**9, taken=3, profiles=parts)
        wire.write_batch(file, wire.encode(drain, bytes(16), 2 * second))
        alone = (profile("main 4", type=faults, period=1),)
        drain = Drain("h", second * 10**9, 10**9, taken=4, profiles=alone, type=faults)
        wire.write_batch(file, wire.encode(drain, bytes(16), 2 * second + 1))
    found = recording.loads_all(file.getvalue())
    assert [(p.type.name, dict(p.labels).get("service_name"), stacks(p)) for p in found] == [
        ("cpu", "a", {("main", "f"): 100}),
        ("cpu", "b", {("main", "g"): 200}),
        ("page_faults", None, {("main",): 400}),
    ]
    assert (found[0].start_ns, found[0].duration_ns) == (0, 100 * 10**9)
    assert stacks(recording.loads(file.getvalue())) == {("main", "f"): 100, ("main", "g"): 200}


def test_a_batch_that_cannot_be_read_is_named() -> None:
    data = recording.dumps(profile("main 1"))
    with pytest.raises(FormatError, match=r"batch 1: .*cut"):
        recording.loads(data + data[:-3])
    with pytest.raises(FormatError, match="without a batch"):
        recording.loads(b"")


def test_what_a_batch_cannot_hold_is_refused() -> None:
    with pytest.raises(UsageError, match="exceed a batch"):
        recording.dumps(profile(f"main {2**52}", period=2))


def test_what_others_call_otherwise_is_read_back() -> None:
    labels = (("9 lives", "x"), ("service.name", "a" * 5000))
    type = ProfileType("sched:sched_switch", "")
    original = profile("main 0", "main;f 0", type=type, period=2**60, labels=labels)
    again = recording.loads(recording.dumps(replace(original, samples=original.samples + 1)))
    assert again.type == ProfileType("sched_sched_switch", "count")
    assert again.labels == (("_9_lives", "x"), ("service_name", "a" * 1024))
    assert again.period == 0
