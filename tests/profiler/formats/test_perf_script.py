import io
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import FormatError
from profiler.formats import files, perf_script
from profiler.formats.lines import Mistakes
from profiler.model import CPU, Frame, Kind, Profile, ProfileType
from tests.builders import stacks


def load(text: str, mistakes: Mistakes | None = None) -> list[Profile]:
    return perf_script.load_all(io.BytesIO(text.encode()), mistakes)


SAMPLE = """# captured on: a day
my thread  4711/4712 [003]  1234.567890:    1010101 cpu-clock:pppH:
\tffffffff81a00b20 schedule+0x20 ([kernel.kallsyms])
\t    55d0c0de1139 work(int, char)+0x9 (/usr/bin/a (deleted))
\t    55d0c0de2000 [unknown] (/usr/lib/libx.so+0x2000)
\t               0 [unknown] ([unknown])

"""


def test_a_sample_is_its_thread_and_its_stack_from_the_root() -> None:
    (profile,) = load(SAMPLE)
    assert stacks(profile) == {
        ("my thread", "[unknown]", "[unknown] libx.so+0x2000", "work(int, char)", "schedule"): 1
    }
    assert (profile.type, profile.period, profile.total_value) == (CPU, 1_010_101, 1_010_101)
    thread, nowhere, unnamed, work, schedule = profile.frames
    assert thread == Frame("my thread", kind=Kind.THREAD)
    assert nowhere == Frame("[unknown]")
    assert (unnamed.binary, unnamed.address) == ("/usr/lib/libx.so", 0x2000)
    assert (work.binary, work.address, work.kind) == ("/usr/bin/a", 0, Kind.NATIVE)
    assert (schedule.kind, schedule.address) == (Kind.KERNEL, 0xFFFFFFFF81A00B00)


@pytest.mark.parametrize(
    "line",
    [
        "a 1 cycles:",
        "a  1/1  cycles:u:",
        "a  1 1  7 cycles:ppp:",
        "    a -1 [000] 12.5:   7 cycles:",
        "a 1 [000] d..1. 12.5: cycles: prev_comm=b prev_pid=2 ==> next_comm=c",
        "a cycles:",
    ],
)
def test_fields_may_be_missing(line: str) -> None:
    (profile,) = load(f"{line}\n\t 12 f+0x1 (/bin/a)\n\t 34 main (/bin/a)\n")
    assert stacks(profile) == {("a", "main", "f"): 1}
    assert profile.type == ProfileType("cycles", "count")
    assert profile.total_value in (1, 7)


def test_a_clock_without_periods_counts_samples() -> None:
    (profile,) = load("a 1 cpu-clock:\n\t 12 f (/bin/a)\n" * 3)
    assert profile.type == ProfileType("cpu-clock", "count")
    assert (profile.total_samples, profile.total_value) == (3, 3)


def test_a_sample_without_a_stack_has_its_frame_behind_the_event() -> None:
    (profile,) = load("  a 1  1.5:   3 cycles:   55d0 f+0x1 (/bin/a)\n" * 2)
    assert stacks(profile) == {("a", "f"): 2}
    assert profile.total_value == 6


def test_events_are_profiles_of_their_own() -> None:
    found = load("a 1 1.5: 3 cycles:\n\t 1 f (/a)\na 1 1.5: sched:sched_switch: x=1\n\t 1 g (/a)\n")
    assert [(profile.type.name, stacks(profile)) for profile in found] == [
        ("cycles", {("a", "f"): 1}),
        ("sched:sched_switch", {("a", "g"): 1}),
    ]


def test_inlined_frames_and_lines_of_source_are_read() -> None:
    (profile,) = load(
        "a 1 1.5: 3 cycles:\n"
        "\t 12 step+0x1\n  w.h:3 (inlined)\n"
        "\t 12 add (inlined)\n"
        "\t 12 work+0x1 (/bin/a)\n  w.c:9\n"
        "\t 34 main (/bin/a)\n  ??:0\n"
    )
    main, work, add, step = profile.frames[1:]
    assert (main.file, main.line) == ("", 0)
    assert (work.file, work.line, work.inlined) == ("w.c", 9, False)
    assert (add.function, add.inlined) == ("add", True)
    assert (step.function, step.file, step.line, step.inlined) == ("step", "w.h", 3, True)


def test_lines_that_cannot_be_read_are_counted_and_the_first_is_named() -> None:
    text = "a 1 1.5: 3 cycles:\n\t 1 f (/a)\n\t???\nwhat is this\nand this\n\n"
    with pytest.raises(FormatError, match=r"^line 3: expected a frame, .* \(and 2 more unreadable"):
        load(text)
    mistakes = Mistakes()
    (profile,) = load(text, mistakes)
    assert stacks(profile) == {("a", "f"): 1}
    assert mistakes.count == 3


def test_a_text_without_samples_is_none() -> None:
    with pytest.raises(FormatError, match="no samples"):
        load("# nothing\n")


def test_a_stack_is_bounded() -> None:
    with pytest.raises(FormatError, match="more than 4,096 frames"):
        load("a 1 1.5: 3 cycles:\n" + "\t 1 f (/a)\n" * 5000)


@given(st.text("a1: \t\n[]()+x0/.", max_size=200))
def test_any_text_is_a_profile_or_a_format_error(text: str) -> None:
    try:
        load(text)
    except FormatError as error:
        assert "line " in str(error) or "no samples" in str(error)


def test_a_hostile_line_costs_no_more_than_its_length() -> None:
    with pytest.raises(FormatError, match="line 1: expected a sample"):
        load("a" + " 1" * 16_000 + "\n")


PERF = shutil.which("perf")
FIELDS = (
    "",
    "-F comm,pid,tid,time,period,event,ip,sym,symoff,dso",
    "-F comm,event,ip,sym",
    "-F +srcline",
)


@pytest.mark.skipif(not PERF, reason="perf is not installed")
@pytest.mark.parametrize("fields", FIELDS)
def test_what_perf_itself_writes_is_read(tmp_path: Path, fields: str) -> None:
    data = str(tmp_path / "perf.data")
    spin = ["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"]
    record = ["record", "-q", "-g", "-e", "cpu-clock", "-F", "499", "-o", data, "--", *spin]
    subprocess.run([str(PERF), *record], check=True, capture_output=True)
    script = [str(PERF), "script", "-i", data, *fields.split()]
    text = subprocess.run(script, check=True, capture_output=True).stdout
    (profile,) = files.loads(text)
    assert profile.total_samples == text.count(b"cpu-clock:") > 0
    assert all(stack[0].function == "sh" for stack, _, _ in profile.stacks())


def test_a_line_that_is_too_long_for_a_frame_is_named() -> None:
    with pytest.raises(FormatError, match=r"line 3: 100,0\d\d characters, more than 32,768"):
        load(SAMPLE.replace("schedule", "s" * 100_000))
