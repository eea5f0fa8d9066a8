"""The laws of the wire codec, and that hostile bytes meet a FormatError and nothing worse."""

import io
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler import wire
from profiler.errors import FormatError
from profiler.model import Drain, Frame, Kind, Labels, Profile, ProfileBuilder
from profiler.v1 import ingest_pb2 as pb
from profiler.wire import checks, limits
from tests.builders import PERIOD_NS, profile, stacks

ID = bytes(range(16))

# Names of any kind that the wire carries as they are: no surrogates, no NUL.
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
frames = st.builds(
    Frame,
    function=text,
    file=text,
    line=st.integers(0, 2**32 - 1),
    binary=text,
    build_id=text,
    address=st.integers(0, 2**64 - 1),
    kind=st.sampled_from(Kind),
    inlined=st.booleans(),
)


@st.composite
def profiles(draw: st.DrawFn, labels: Labels) -> Profile:
    pool = draw(st.lists(frames, min_size=1, max_size=6))
    builder = ProfileBuilder()
    period = draw(st.integers(0, 10**9))
    for stack in draw(st.lists(st.lists(st.sampled_from(pool), max_size=5), max_size=8)):
        count = draw(st.integers(0, 2**20))
        builder.add(stack, count, count * period if period else draw(st.integers(0, 2**40)))
    return builder.build(period=period, labels=labels)


@st.composite
def drains(draw: st.DrawFn) -> Drain:
    services = draw(st.lists(text, max_size=3, unique=True))
    held = [draw(profiles((("host_name", "a"), ("service_name", name)))) for name in services]
    losses = draw(st.dictionaries(st.sampled_from(["ring_full", "spool_full"]), st.integers(0, 99)))
    start_ns = draw(st.integers(0, 2**62))
    duration_ns = draw(st.integers(0, 2**61))  # their sum is within 63 bits
    return Drain(
        host_name=draw(text),
        taken=sum(profile.total_samples for profile in held) + sum(losses.values()),
        losses=losses,
        profiles=tuple(
            replace(profile, start_ns=start_ns, duration_ns=duration_ns) for profile in held
        ),
        start_ns=start_ns,
        duration_ns=duration_ns,
    )


def content(drain: Drain) -> Any:
    """Everything that a drain says, comparable, in whatever numbering its trees are."""
    shown = [
        (p.type, p.period, p.start_ns, p.duration_ns, p.labels, Counter(p.stacks()))
        for p in drain.profiles
    ]
    return replace(drain, profiles=()), shown


@given(drains())
def test_decoding_what_was_encoded_gives_the_same_stacks_and_counts(drain: Drain) -> None:
    batch = wire.encode(drain, ID, 7)
    assert (batch.collector_id, batch.sequence) == (ID, 7)
    again = wire.decode(wire.parse(batch.SerializeToString()))
    assert content(again) == content(drain)
    assert again.unaccounted == 0


@given(st.lists(drains(), max_size=4))
def test_a_stream_says_the_same_as_batches_that_explain_themselves(sent: list[Drain]) -> None:
    encoder, decoder = wire.StreamEncoder(), wire.DrainDecoder()
    for sequence, drain in enumerate(sent):
        batch = encoder.encode(drain, ID, sequence)
        assert content(decoder.decode(batch)) == content(wire.decode(wire.encode(drain, ID, 0)))


@given(st.lists(drains(), max_size=3))
def test_a_recording_reads_back_as_it_was_written(drains: list[Drain]) -> None:
    file = io.BytesIO()
    batches = [wire.encode(drain, ID, sequence) for sequence, drain in enumerate(drains)]
    for batch in batches:
        wire.write_batch(file, batch)
    file.seek(0)
    assert list(wire.read_batches(file)) == batches


@given(drains(), st.data())
def test_hostile_bytes_meet_a_format_error_and_nothing_worse(drain: Drain, data: Any) -> None:
    sound = bytearray(wire.encode(drain, ID, 1).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        sound[data.draw(st.integers(0, len(sound) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(sound[: data.draw(st.integers(0, len(sound)))])
    for damaged in (bytes(sound), cut):
        decoder = wire.DrainDecoder()
        try:
            decoder.decode(wire.parse(damaged))
        except FormatError as error:
            assert "\n" not in str(error) and len(str(error)) < 400
        # Whatever it was, the stream goes on as if it had not been there, or with it.
        decoder.decode(wire.encode(replace(drain, profiles=()), ID, 2))


@given(st.binary(max_size=200))
def test_a_file_that_is_no_recording_meets_a_format_error(data: bytes) -> None:
    try:
        list(map(wire.decode, wire.read_batches(io.BytesIO(data))))
    except FormatError as error:
        assert str(error)


def one_drain(*lines: str) -> Drain:
    held = profile(*lines, labels=(("host_name", "a"),), duration_ns=10)
    return Drain("a", 0, 10, held.total_samples, profiles=(held,))


def test_a_stack_travels_once_a_stream() -> None:
    encoder = wire.StreamEncoder()
    first = encoder.encode(one_drain("main;f 3", "main;g 1"), ID, 1)
    second = encoder.encode(one_drain("main;g 5", "main;h 1"), ID, 2)
    assert list(first.additions.strings) == ["main", "f", "g", "host_name", "a"]
    assert list(second.additions.strings) == ["h"]
    assert np.frombuffer(second.additions.node_parent, "<u4").tolist() == [1]
    assert np.frombuffer(second.profiles[0].stacks, "<u4").tolist() == [3, 4]
    assert encoder.nodes == 4


def test_values_travel_only_where_the_period_does_not_say_them() -> None:
    held = profile("main 3")
    odd = replace(held, values=held.values + 1)
    batch = wire.encode(Drain("a", 0, 1, 6, profiles=(held, odd)), ID, 1)
    assert [len(sent.values) // 8 for sent in batch.profiles] == [0, 2]
    assert batch.profiles[0].period == PERIOD_NS


def test_a_path_that_a_profile_holds_twice_is_sent_as_one_stack() -> None:
    twice = Profile(
        frames=(Frame("main"),),
        parents=np.array([-1, 0, 0], np.int32),
        node_frames=np.array([-1, 0, 0], np.int32),
        samples=np.array([0, 2, 3]),
        values=np.array([0, 20, 30]),
        period=10,
    )
    received = wire.decode(wire.encode(Drain("a", 0, 1, 5, profiles=(twice,)), ID, 1))
    assert stacks(received.profiles[0]) == {("main",): 5}


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("caf\udce9", "caf\\udce9"),  # a file name in Latin-1, as os.fsdecode gives it
        ("a\0b", "a\ufffdb"),
        ("x" * 20_000, "x" * (limits.STRING_BYTES - 3) + "…"),
        ("é" * 20_000, "é" * ((limits.STRING_BYTES - 3) // 2) + "…"),
    ],
)
def test_no_name_costs_a_sample(name: str, sent: str) -> None:
    held = profile(f"{name} 3", labels=(("host_name", name), ("service_name", "s")))
    batch = wire.encode(Drain(name, 0, 1, 3, profiles=(held,)), ID, 1)
    received = wire.decode(wire.parse(batch.SerializeToString()))
    assert stacks(received.profiles[0]) == {(sent,): 3}
    assert checks.size(received.host_name) <= limits.LABEL_BYTES
    assert received.unaccounted == 0


def u4(*numbers: int) -> bytes:
    return np.array(numbers, "<u4").tobytes()


def u8(*numbers: int) -> bytes:
    return np.array(numbers, "<u8").tobytes()


# Field of the batch of `main;f 3` (2 frames; nodes 0, 1 and 2; period 10 ms), value, what is said.
REFUSALS: list[tuple[str, Any, str]] = [
    ("collector_id", b"short", "collector_id: expected 16 bytes, got 5"),
    ("sequence", 2**63, "sequence: 9223372036854775808"),
    ("accounts.start_ns", -1, "accounts.start_ns: -1"),
    ("accounts.duration_ns", 2**63, "accounts.duration_ns: 9223372036854775808"),
    ("accounts.taken", 2**53, "accounts.taken: 9007199254740992"),
    ("accounts.host_name", "a\0", "accounts.host_name: 'a\\x00' has a NUL"),
    ("accounts.host_name", "a" * 1025, "accounts.host_name: a text of 1025 bytes, at most 1024"),
    ("accounts.profile_type", "", "accounts.profile_type: '', expected letters"),
    ("accounts.unit", "µs", "accounts.unit: 'µs'"),
    ("additions.frame_line", b"123", "additions.frame_line: 3 bytes are no whole number"),
    ("additions.frame_line", u4(1), "additions: columns of different lengths"),
    ("additions.frame_function", u4(1, 6), "additions.frame_function: 6 at entry 1, of 5 strings"),
    ("additions.frame_kind", b"\0\x06", "additions.frame_kind: 6 at entry 1, of 6 kinds"),
    ("additions.frame_inlined", b"\0\x02", "additions.frame_inlined: 2 at entry 1"),
    ("additions.node_frame", u4(0, 2), "additions.node_frame: 2 at entry 1, of 2 frames"),
    ("additions.node_parent", u4(1, 1), "additions.node_parent: node 1 has the parent 1"),
    ("profiles.stacks", u4(3), "profiles.stacks: 3 at entry 0, of 3 nodes"),
    ("profiles.samples", u8(1, 2), "profiles: columns of different lengths"),
    ("profiles.samples", u8(2**53), "profiles.samples: the sum is not below"),
    ("profiles.samples", u8(2**40), "profiles.samples x period: 10995116277760000000"),
    ("profiles.period", 2**53, "profiles.period: 9007199254740992"),
    ("profiles.period", 0, "profiles.values: none, and no period"),
    ("profiles.values", u8(2**64 - 1), "profiles.values: -1 is negative"),
    ("profiles.values", u8(2**53), "profiles.values: the sum is not below"),
    ("profiles.values", u8(1, 1), "profiles: columns of different lengths"),
    ("profiles.label_names", u4(6), "profiles.label_names: 6 at entry 0, of 5 strings"),
    ("profiles.label_names", u4(0), "profiles.label_names: '', expected letters"),
    ("profiles.label_values", u4(), "profiles: columns of different lengths"),
]


@pytest.mark.parametrize(("field", "value", "said"), REFUSALS)
def test_a_refusal_names_field_and_value(field: str, value: Any, said: str) -> None:
    batch = wire.encode(one_drain("main;f 3"), ID, 1)
    message, _, name = field.rpartition(".")
    owner: Any = batch if not message else getattr(batch, message)
    setattr(owner[0] if message == "profiles" else owner, name, value)
    with pytest.raises(FormatError) as refusal:
        wire.StreamDecoder().decode(batch)
    assert str(refusal.value).startswith(said)


def with_labels(*names: str) -> pb.Batch:
    held = profile("main 1", labels=tuple((name, "x") for name in names))
    return wire.encode(Drain("a", 0, 1, 1, profiles=(held,)), ID, 1)


def test_labels_stand_sorted_and_each_once() -> None:
    for names in (("b", "a"), ("a", "a")):
        with pytest.raises(FormatError, match="not sorted, each once"):
            wire.decode(with_labels(*names))
    with pytest.raises(FormatError, match=r"profiles.label_names: 65, at most 64 a series"):
        wire.decode(with_labels(*(f"l{number:02}" for number in range(65))))


def test_a_stack_or_a_series_that_stands_twice_is_refused() -> None:
    batch = wire.encode(one_drain("main 3"), ID, 1)
    batch.profiles[0].stacks = u4(1, 1)
    batch.profiles[0].samples = u8(1, 1)
    with pytest.raises(FormatError, match=r"profiles.stacks: 1 stands there twice"):
        wire.decode(batch)
    batch = wire.encode(one_drain("main 3"), ID, 1)
    batch.profiles.append(batch.profiles[0])
    with pytest.raises(FormatError, match="two have the labels"):
        wire.decode(batch)


def test_sums_of_sound_columns_stay_below_the_bound_too() -> None:
    half = profile("main 1", period=2**52, labels=(("service_name", "a"),))
    other = replace(half, labels=(("service_name", "b"),))
    wire.decode(wire.encode(Drain("a", 0, 1, 1, profiles=(half,)), ID, 1))
    with pytest.raises(FormatError, match="the sum of values: 9007199254740992"):
        wire.decode(wire.encode(Drain("a", 0, 1, 2, profiles=(half, other)), ID, 1))
    losses = {f"cause_{number}": 2**52 for number in range(2)}
    with pytest.raises(FormatError, match=r"the sum of accounts.losses: 9007199254740992"):
        wire.decode(wire.encode(Drain("a", 0, 1, 0, losses), ID, 1))


def test_a_refused_batch_leaves_the_stream_as_it_was() -> None:
    encoder, decoder = wire.StreamEncoder(), wire.StreamDecoder()
    decoder.decode(encoder.encode(one_drain("main 1"), ID, 1))
    second = encoder.encode(one_drain("main;f 1"), ID, 2)
    broken = pb.Batch.FromString(second.SerializeToString())
    broken.profiles[0].stacks = u4(99)
    with pytest.raises(FormatError):
        decoder.decode(broken)
    received = decoder.decode(second)
    assert (received.additions.first_string, received.additions.first_node) == (4, 2)
    assert received.profiles[0].stacks.tolist() == [2]


def test_a_full_stream_asks_for_a_new_one_but_an_oversized_batch_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "STREAM_NODES", 4)
    encoder, decoder = wire.StreamEncoder(), wire.StreamDecoder()
    decoder.decode(encoder.encode(one_drain("a;b 1"), ID, 1))
    with pytest.raises(wire.StreamFullError, match="begin a new stream"):
        decoder.decode(encoder.encode(one_drain("a;c;d 1"), ID, 2))
    with pytest.raises(FormatError, match="additions: 4 nodes"):
        wire.decode(wire.encode(one_drain("a;b;c;d 1"), ID, 3))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x05ab", "batch 0: 2 of 5 bytes, the file is cut"),
        (b"\x00\x80", "batch 1: the file is cut in the length"),
        (b"\x81\x80\x80\x10", "batch 0: 33554433 bytes or more, at most 33554432"),
        (b"\xff\xff\xff\xff\xff\xff", "batch 0: "),
        (b"\x01\xff", "batch 0: not a batch"),
        (b"hello, this is a text", "batch 0: 20 of 104 bytes"),
    ],
)
def test_a_damaged_recording_is_refused_with_the_batch_at_fault(data: bytes, said: str) -> None:
    with pytest.raises(FormatError) as refusal:
        list(wire.read_batches(io.BytesIO(data)))
    assert str(refusal.value).startswith(said)
