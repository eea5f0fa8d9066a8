import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import FormatError
from profiler.formats import limits, pprof
from profiler.formats.pprof_pb import profile_pb2 as pb
from profiler.model import Frame, Kind, Profile, ProfileBuilder, ProfileType
from tests.builders import PERIOD_NS, profile, stacks
from tests.profiler import strategies

GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


def call_with_inlined() -> Profile:
    """main calls work, into which the compiler put step, into which it put add."""
    work = Frame("work", "w.c", 10, "/bin/a", "c0ffee", 0x1000)
    step = Frame("step", "w.h", 3, "/bin/a", "c0ffee", inlined=True)
    add = Frame("add", "w.h", 1, "/bin/a", "c0ffee", inlined=True)
    main = Frame("main", "m.c", 5, "/bin/a", "c0ffee", 0x2000)
    thread = Frame("worker", kind=Kind.THREAD)
    kernel = Frame("schedule", "", 0, "[kernel]", "", 2**64 - 100, Kind.KERNEL)
    builder = ProfileBuilder()
    builder.add([thread, main, work, step, add], 3, 3 * PERIOD_NS)
    builder.add([thread, main, work], 2, 2 * PERIOD_NS)
    builder.add([thread, main, kernel], 1, PERIOD_NS)
    return builder.build(
        period=PERIOD_NS, start_ns=10**18, duration_ns=10**10, labels=(("host_name", "a"),)
    )


def message_of(data: bytes) -> pb.Profile:
    message = pb.Profile()
    message.ParseFromString(gzip.decompress(data))
    return message


def test_inlined_frames_are_the_lines_of_one_location_innermost_first() -> None:
    message = message_of(pprof.dumps(call_with_inlined()))
    text = message.string_table
    functions = {function.id: text[function.name] for function in message.function}
    locations = {
        location.id: [functions[line.function_id] for line in location.line]
        for location in message.location
    }
    found = [[locations[number] for number in sample.location_id] for sample in message.sample]
    assert sorted(found) == [
        [["add", "step", "work"], ["main"]],
        [["schedule"], ["main"]],
        [["work"], ["main"]],
    ]


def test_types_period_and_time_are_written() -> None:
    message = message_of(pprof.dumps(call_with_inlined()))
    text = message.string_table
    assert [(text[type.type], text[type.unit]) for type in message.sample_type] == [
        ("samples", "count"),
        ("cpu", "nanoseconds"),
    ]
    assert (text[message.period_type.type], message.period) == ("cpu", PERIOD_NS)
    assert (message.time_nanos, message.duration_nanos) == (10**18, 10**10)


def test_the_thread_and_the_labels_of_the_series_are_labels_of_samples() -> None:
    message = message_of(pprof.dumps(call_with_inlined()))
    text = message.string_table
    assert [(text[label.key], text[label.str]) for label in message.sample[0].label] == [
        ("thread", "worker"),
        ("host_name", "a"),
    ]


def test_a_whole_profile_is_read_back() -> None:
    original = call_with_inlined()
    again = pprof.loads(pprof.dumps(original))
    assert sorted(again.stacks(), key=repr) == sorted(original.stacks(), key=repr)
    assert (again.type, again.period, again.labels) == (
        original.type,
        original.period,
        original.labels,
    )
    assert (again.start_ns, again.duration_ns) == (original.start_ns, original.duration_ns)
    assert pprof.dumps(original) == pprof.dumps(call_with_inlined())


plain_frames = st.builds(
    Frame,
    function=strategies.names,
    file=st.sampled_from(["", "a.c"]),
    line=st.integers(0, 9),
    binary=st.sampled_from(["/bin/a", "/lib/b.so"]),
    build_id=st.sampled_from(["", "c0ffee"]),
    address=st.integers(0, 2**64 - 1),
)


@given(strategies.profiles(frames=plain_frames))
def test_what_is_written_is_read_back(profile: Profile) -> None:
    again = pprof.loads(pprof.dumps(profile))
    assert sorted(again.stacks(), key=repr) == sorted(profile.stacks(), key=repr)


@given(strategies.profiles())
def test_names_counts_and_totals_survive_whatever_the_frames(profile: Profile) -> None:
    again = pprof.loads(pprof.dumps(profile))
    assert stacks(again) == stacks(profile)
    assert again.total_value == profile.total_value


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("[kernel]", Kind.KERNEL),
        ("[kernel.kallsyms]", Kind.KERNEL),
        ("/lib/modules/6.1/vmlinux-6.1", Kind.KERNEL),
        ("[nf_tables]", Kind.KERNEL),
        ("[vdso]", Kind.NATIVE),
        ("[jit]", Kind.JIT),
        ("[anon]", Kind.JIT),
        ("/tmp/perf-123.map", Kind.JIT),
        ("/bin/a", Kind.NATIVE),
    ],
)
def test_kinds_are_told_by_their_binary(name: str, kind: Kind) -> None:
    builder = ProfileBuilder()
    builder.add([Frame("f", binary=name, kind=kind)], 1, 1)
    (frame,) = pprof.loads(pprof.dumps(builder.build())).frames
    assert frame.kind is kind


def test_the_first_mapping_is_not_the_kernel() -> None:
    builder = ProfileBuilder()
    builder.add([Frame("k", binary="[kernel]", kind=Kind.KERNEL)], 1, 1)
    builder.add([Frame("f", binary="/bin/a")], 1, 1)
    message = message_of(pprof.dumps(builder.build()))
    names = [message.string_table[mapping.filename] for mapping in message.mapping]
    assert names == ["/bin/a", "[kernel]"]


def heap() -> pb.Profile:
    """A message as Go's heap profiler writes them, one sample at an unnamed location."""
    text = ["", "alloc_objects", "count", "alloc_space", "bytes", "inuse_objects", "inuse_space"]
    types = [pb.ValueType(type=number, unit=unit) for number, unit in ((1, 2), (3, 4), (5, 2))]
    types.append(pb.ValueType(type=6, unit=4))
    return pb.Profile(
        string_table=[*text, "/bin/app"],
        sample_type=types,
        sample=[pb.Sample(location_id=[1], value=[9, 900, 2, 200])],
        mapping=[pb.Mapping(id=1, filename=7)],
        location=[pb.Location(id=1, mapping_id=1, address=0x1234)],
    )


def test_the_last_type_and_the_count_before_it_are_read() -> None:
    loaded = pprof.loads(heap().SerializeToString())
    assert loaded.type == ProfileType("inuse_space", "bytes")
    assert (loaded.total_samples, loaded.total_value) == (2, 200)


def test_the_default_type_of_the_file_is_read() -> None:
    message = heap()
    message.default_sample_type = 3
    loaded = pprof.loads(message.SerializeToString())
    assert loaded.type == ProfileType("alloc_space", "bytes")
    assert (loaded.total_samples, loaded.total_value) == (9, 900)


def test_a_location_without_a_name_is_shown_by_binary_and_address() -> None:
    assert stacks(pprof.loads(heap().SerializeToString())) == {("[unknown] app+0x1234",): 2}


def test_labels_that_all_samples_share_become_those_of_the_profile() -> None:
    message = heap()
    message.string_table.extend(["host", "a", "b"])
    host_a, host_b = pb.Label(key=8, str=9), pb.Label(key=8, str=10)
    message.sample[0].label.append(host_a)
    assert pprof.loads(message.SerializeToString()).labels == (("host", "a"),)
    message.sample.add(value=[0] * 4, label=[host_b])
    assert pprof.loads(message.SerializeToString()).labels == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda m: m.sample[0].location_id.append(7), "a sample at location 7"),
        (lambda m: m.location[0].line.add(function_id=9), "location 1: no function 9"),
        (lambda m: setattr(m.location[0], "mapping_id", 5), "location 1: no mapping 5"),
        (lambda m: setattr(m.mapping[0], "filename", 99), "string 99 of a table of 8"),
        (lambda m: setattr(m.mapping[0], "filename", -1), "string -1 of a table of 8"),
        (lambda m: m.sample[0].value.pop(), "sample 0: 3 values for 4 sample types"),
        (lambda m: m.ClearField("sample_type"), "without sample types"),
        (lambda m: m.sample[0].value.__setitem__(3, -4), "a negative count, -4"),
        (lambda m: m.sample[0].location_id.extend([1] * 5000), "more than 4,096 locations"),
    ],
)
def test_numbers_that_lead_nowhere_are_named(change: object, expected: str) -> None:
    message = heap()
    assert callable(change)
    change(message)
    with pytest.raises(FormatError, match=expected):
        pprof.loads(message.SerializeToString())


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(limits.MAX_BYTES + 2), compresslevel=1)
    assert len(bomb) < 1 << 20
    with pytest.raises(FormatError, match="more than 67,108,864"):
        pprof.loads(bomb)


def test_few_bytes_cannot_stand_for_endless_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FRAMES", 10)
    message = heap()
    message.sample[0].location_id.extend([1] * 10)
    with pytest.raises(FormatError, match="more than 10 frames in all stacks"):
        pprof.loads(message.SerializeToString())


@given(st.binary(max_size=80) | st.binary(max_size=60).map(gzip.compress))
def test_any_bytes_are_a_profile_or_a_format_error(data: bytes) -> None:
    try:
        pprof.loads(data)
    except FormatError as error:
        assert str(error)


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_file_is_a_profile_or_a_format_error(place: int, byte: int) -> None:
    data = bytearray(heap().SerializeToString())
    data[place % len(data)] = byte
    try:
        pprof.loads(bytes(data))
    except FormatError as error:
        assert str(error)


@pytest.mark.skipif(GO is None, reason="go is not installed: `go tool pprof` cannot judge")
def test_go_tool_pprof_reads_the_same_numbers(tmp_path: Path) -> None:
    file = tmp_path / "cpu.pb.gz"
    file.write_bytes(pprof.dumps(call_with_inlined()))
    report = go_pprof("-top", "-nodecount=20", file)
    table = report.partition("cum%\n")[2]
    rows = {line.split()[5]: line.split() for line in table.splitlines()}
    assert {name: (row[0], row[3]) for name, row in rows.items()} == {
        "add": ("30ms", "30ms"),
        "work": ("20ms", "50ms"),
        "schedule": ("10ms", "10ms"),
        "main": ("0", "60ms"),
        "step": ("0", "30ms"),
    }
    assert "Type: cpu" in report and "Duration: 10s" in report
    assert "worker" in go_pprof("-tags", file)


def go_pprof(*arguments: object) -> str:
    assert GO is not None
    return subprocess.run(
        [GO, "tool", "pprof", *map(str, arguments)],
        env={**os.environ, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "PPROF_TMPDIR": "/tmp"},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout


def test_samples_can_be_chosen_as_the_thing_to_show() -> None:
    loaded = pprof.loads(pprof.dumps(profile("main;f 3")))
    assert (loaded.total_samples, loaded.total_value) == (3, 3 * PERIOD_NS)


def test_profiles_of_several_types_are_sample_types_of_one_file() -> None:
    builder = ProfileBuilder()
    builder.add([Frame("main"), Frame("wait")], 2, 700)
    builder.add([Frame("main")], 1, 5)
    sleeps = builder.build(ProfileType("off_cpu", "nanoseconds"))
    data = pprof.dumps_all([profile("main;f 3"), sleeps])
    message = message_of(data)
    names = [message.string_table[each.type] for each in message.sample_type]
    assert names == ["cpu_samples", "cpu", "off_cpu_samples", "off_cpu"]
    rows = sorted(tuple(sample.value) for sample in message.sample)
    assert rows == [(0, 0, 1, 5), (0, 0, 2, 700), (3, 3 * PERIOD_NS, 0, 0)]
    shown = pprof.loads(data)
    assert (shown.type.name, shown.total_samples) == ("cpu", 3)


def test_every_type_and_set_of_labels_is_a_profile_where_all_are_asked_for() -> None:
    faults = ProfileType("page_faults", "count")
    parts = [
        profile("main;f 3", labels=(("host_name", "a"),)),
        profile("main;g 2", type=faults, period=7, labels=(("host_name", "b"),)),
    ]
    found = pprof.loads_all(pprof.dumps_all(parts))
    assert [(p.type, p.labels, stacks(p), p.total_value) for p in found] == [
        (part.type, part.labels, stacks(part), part.total_value) for part in parts
    ]


def test_all_types_of_gos_heap_are_told_apart() -> None:
    found = {p.type.name: (p.total_samples, p.total_value) for p in pprof.loads_all(
        heap().SerializeToString()
    )}  # fmt: skip
    message = heap()
    values = message.sample[0].value
    assert found == {
        "inuse_space": (values[2], values[3]),
        "alloc_objects": (values[0], values[0]),
        "alloc_space": (values[0], values[1]),
        "inuse_objects": (values[2], values[2]),
    }


def test_sets_of_labels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pprof, "MAX_SERIES", 1)
    parts = [profile("a 1", labels=(("n", n),), type=ProfileType(n, "count")) for n in "xy"]
    with pytest.raises(FormatError, match="more than 1 sets of labels"):
        pprof.loads_all(pprof.dumps_all(parts))


def test_a_name_that_many_share_is_held_once_and_cut() -> None:
    message = heap()
    message.string_table.append("x" * (1 << 20))
    message.function.add(id=1, name=8)
    for line in range(2000):
        message.location.add(id=2 + line, line=[pb.Line(function_id=1, line=line)])
        message.sample.add(location_id=[2 + line], value=[1] * 4)
    names = [f.function for f in pprof.loads(message.SerializeToString()).frames if f.line]
    assert len(names[0]) == limits.MAX_NAME
    assert len({id(name) for name in names}) == 1


def test_lines_and_times_beyond_what_others_hold_are_not_known() -> None:
    message = heap()
    message.function.add(id=1, name=7)
    message.location[0].line.add(function_id=1, line=2**40)
    message.time_nanos = message.duration_nanos = 2**63 - 1
    (found, *_) = pprof.loads_all(message.SerializeToString())
    assert found.frames[0].line == 0
    assert found.start_ns + found.duration_ns < 2**63 - 1


def test_the_labels_of_a_sample_are_bounded() -> None:
    message = heap()
    for number in range(pprof.MAX_LABELS + 1):
        message.string_table.append(f"label{number}")
        message.sample[0].label.add(key=8 + number, str=1)
    with pytest.raises(FormatError, match="a sample with 101 labels"):
        pprof.loads(message.SerializeToString())
