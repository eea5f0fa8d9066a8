import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.labels.labeller import Labelling
from collector.labels.rules import Rules, parse_rule
from collector.processes.maps import parse_maps
from collector.sources.raw import RawSample
from collector.symbols.symbolizer import Symbolizer
from profiler.model import Drain, Frame, Kind
from tests.collector.processes.fake_proc import maps_line
from tests.collector.symbols import programs
from tests.collector.symbols.drains import NOBODY, PERIOD_NS, drain_of, frames, map_of, on_fakes
from tests.collector.symbols.programs import BUILD_ID, C_SOURCE, CPP_SOURCE, needs

# --- what the whole is for --------------------------------------------------------------------


def test_samples_become_profiles_by_the_labels_of_their_process(
    symbolizer: Symbolizer, c_program: Path
) -> None:
    with programs.running(c_program) as program:
        here = program.addresses["hidden"]
        drain = symbolizer.symbolize(
            drain_of(
                RawSample(program.pid, "main", (here,), (), 3),
                RawSample(program.pid, "other", (here,), (), 4),
                RawSample(NOBODY, "vanished", (here,), (), 2),
                ring_full=5,
            )
        )
    keys = ("host_name", "process_executable_name", "service_name", "service_version")
    named = [[dict(profile.labels).get(key) for key in keys] for profile in drain.profiles]
    assert named == [
        ["node-a", "shop", "shop", BUILD_ID[:12]],
        ["node-a", "vanished", "vanished", None],
    ]
    assert [profile.total_samples for profile in drain.profiles] == [7, 2]
    assert [profile.total_value for profile in drain.profiles] == [7 * PERIOD_NS, 2 * PERIOD_NS]
    assert (drain.unaccounted, drain.losses, drain.host_name) == (0, {"ring_full": 5}, "node-a")
    assert {(p.period, p.start_ns, p.duration_ns) for p in drain.profiles} == {
        (PERIOD_NS, 1_000, 2_000)
    }


def test_samples_of_processes_that_a_rule_leaves_out_are_counted(c_program: Path) -> None:
    rule: dict[str, object] = {"action": "drop", "source_labels": ["service_name"], "regex": "shop"}
    labelling = Labelling("node-a", Rules((parse_rule(rule),)))
    symbolizer = Symbolizer(labelling, patience_seconds=60)
    with programs.running(c_program) as program, closing(symbolizer):
        samples = [
            RawSample(program.pid, "main", (program.addresses["hidden"],), (), 3),
            RawSample(program.pid, "other", (program.addresses["hidden"],), (), 4),
            RawSample(NOBODY, "vanished", (1,), (), 2),
        ]
        for _ in range(2):
            drain = symbolizer.symbolize(drain_of(*samples, ring_full=5))
            assert drain.losses == {"ring_full": 5, "excluded": 7}
            assert [profile.total_samples for profile in drain.profiles] == [2]
            assert drain.unaccounted == 0
        assert symbolizer.excludes(program.pid) and not symbolizer.excludes(NOBODY)


def test_samples_without_a_place_among_the_series_are_in_one_and_counted() -> None:
    symbolizer = Symbolizer(Labelling("node-a", max_series=1), patience_seconds=60)
    with closing(symbolizer):
        samples = [RawSample(NOBODY + number, f"job-{number}", (1,), (), 3) for number in range(4)]
        drain = symbolizer.symbolize(drain_of(*samples))
    services = [dict(profile.labels)["service_name"] for profile in drain.profiles]
    assert services == ["job-0", "[other]"]
    assert [profile.total_samples for profile in drain.profiles] == [3, 9]
    assert symbolizer.counters.without_place == 9


def test_a_stack_is_its_thread_its_marker_its_user_and_its_kernel_frames(
    symbolizer: Symbolizer, c_program: Path
) -> None:
    with programs.running(c_program) as program:
        at = program.addresses
        sample = RawSample(program.pid, "main", (at["hidden"], at["outer"] + 1), (1, 2), 1, "depth")
        ((stack, _, _),) = symbolizer.symbolize(drain_of(sample)).profiles[0].stacks()
    assert [frame.kind for frame in stack] == [
        Kind.THREAD, Kind.MARKER, Kind.NATIVE, Kind.NATIVE, Kind.KERNEL, Kind.KERNEL,
    ]  # fmt: skip
    assert [frame.function for frame in stack] == [
        "main", "[truncated: depth]", "outer", "hidden",
        "[unknown] [kernel]", "[unknown] [kernel]",
    ]  # fmt: skip


def test_a_return_address_belongs_to_the_line_of_the_call_and_a_leaf_to_its_own(
    symbolizer: Symbolizer, c_program: Path
) -> None:
    with programs.running(c_program) as program:
        at = program.addresses
        stack = frames(symbolizer, program.pid, at["hidden"], at["return"])
    *callers, leaf = stack
    assert [(frame.function, frame.line, frame.inlined) for frame in callers] == [
        ("outer", 20, False), ("middle", 16, True), ("inner", 11, True),
    ]  # fmt: skip
    assert leaf.function == "hidden" and 24 <= leaf.line <= 27 and not leaf.inlined
    assert {(frame.binary, frame.build_id) for frame in stack} == {("shop", BUILD_ID)}


def test_addresses_in_a_function_are_one_frame_with_the_address_of_its_first_instruction(
    symbolizer: Symbolizer, c_program: Path
) -> None:
    symbols = subprocess.run([needs("nm"), c_program], capture_output=True, text=True).stdout
    first = next(int(row.split()[0], 16) for row in symbols.splitlines() if " hidden" in row)
    with programs.running(c_program) as program:
        at = program.addresses
        (leaf,) = frames(symbolizer, program.pid, at["hidden"])
        outer = frames(symbolizer, program.pid, 0, at["return"])[:-1]
    assert leaf.address == first
    assert [frame.address for frame in outer[1:]] == [0, 0], "inlined code has no first one"


@pytest.mark.parametrize(
    "flags",
    [["-O2", "-g", "-static"], ["-O2", "-g", "-no-pie", "-fno-pie"], ["-O1", "-static-pie"],
     ["-O2", "-g", "-gz=zlib"], ["-O2", "-Wl,-z,noseparate-code"]],
    ids=" ".join,
)  # fmt: skip
def test_functions_are_named_however_the_program_was_linked(
    symbolizer: Symbolizer, tmp_path: Path, flags: list[str]
) -> None:
    with programs.running(programs.compiled(tmp_path / "shop", C_SOURCE, *flags)) as program:
        at = program.addresses
        stack = frames(symbolizer, program.pid, at["hidden"], at["return"])
    assert (stack[0].function, stack[-1].function) == ("outer", "hidden")


def test_a_stripped_program_names_what_it_exports_and_keeps_the_address_of_the_rest(
    symbolizer: Symbolizer, tmp_path: Path
) -> None:
    stripped = programs.compiled(tmp_path / "shop", C_SOURCE, "-O2", "-rdynamic", "-s", "-no-pie")
    with programs.running(stripped) as program:
        at = program.addresses
        exported, hidden = (frames(symbolizer, program.pid, at[n])[0] for n in ("outer", "hidden"))
    assert exported.function == "outer"
    assert hidden == Frame(
        f"[unknown] shop+{at['hidden']:#x}",
        binary="shop",
        build_id=BUILD_ID,
        address=at["hidden"],
    )
    assert symbolizer.counters.unnamed == {"no_symbol": 1}


def test_a_separate_debug_file_names_a_stripped_program(tmp_path: Path, c_program: Path) -> None:
    objcopy = needs("objcopy")
    debug = tmp_path / "debug/.build-id" / BUILD_ID[:2] / f"{BUILD_ID[2:]}.debug"
    debug.parent.mkdir(parents=True)
    subprocess.run([objcopy, "--only-keep-debug", c_program, debug], check=True)
    subprocess.run([objcopy, "--strip-all", c_program, tmp_path / "shop"], check=True)
    symbolizer = Symbolizer(Labelling("a"), debug=tmp_path / "debug", patience_seconds=60)
    with programs.running(tmp_path / "shop") as program:
        at = program.addresses
        stack = frames(symbolizer, program.pid, at["hidden"], at["return"])
    symbolizer.close()
    assert [frame.function for frame in stack] == ["outer", "middle", "inner", "hidden"]


def test_compressed_names_add_to_those_that_a_stripped_program_exports(
    symbolizer: Symbolizer, tmp_path: Path
) -> None:
    whole = programs.compiled(tmp_path / "whole", C_SOURCE, "-O2", "-rdynamic", "-no-pie")
    stripped = programs.with_compressed_names(tmp_path / "shop", whole)
    with programs.running(stripped) as program:
        at = program.addresses
        exported, hidden = (frames(symbolizer, program.pid, at[n])[0] for n in ("outer", "hidden"))
    assert (exported.function, hidden.function) == ("outer", "hidden")
    assert (hidden.address, hidden.build_id) == (at["hidden"], BUILD_ID)


def test_cpp_names_are_those_of_the_source(symbolizer: Symbolizer, tmp_path: Path) -> None:
    program = programs.compiled(tmp_path / "shop", CPP_SOURCE, "-O2", compiler="g++")
    with programs.running(program) as shop:
        (frame,) = frames(symbolizer, shop.pid, shop.addresses["add"])
    assert frame.function == "shop::Cart<int>::add(int)"


@pytest.mark.parametrize("mangling", [["-Csymbol-mangling-version=v0"], []], ids=["v0", "default"])
def test_rust_names_are_those_of_the_source(
    symbolizer: Symbolizer, tmp_path: Path, mangling: list[str]
) -> None:
    program = programs.rust(tmp_path / "shop", "-O", "-g", *mangling)
    with programs.running(program) as shop:
        (frame, *inlined) = frames(symbolizer, shop.pid, shop.addresses["add"])
    assert frame.function in ("<shop::Cart<u8>>::add", "shop::Cart<T>::add")
    assert frame.file.endswith("shop.rs") and all(f.inlined for f in inlined)


def test_the_vdso_is_read_from_memory(symbolizer: Symbolizer) -> None:
    mappings = parse_maps(Path("/proc/self/maps").read_bytes())
    vdso = next((mapping for mapping in mappings if mapping.vdso), None)
    if vdso is None:
        pytest.skip("this machine maps no vdso")
    stack = frames(symbolizer, os.getpid(), *range(vdso.start, vdso.end, 16))
    assert {frame.binary for frame in stack} == {"[vdso]"}
    assert any("clock_gettime" in frame.function for frame in stack)


# --- processes that are gone, and memory without a file ---------------------------------------


def test_a_process_that_was_observed_is_named_after_its_end(
    symbolizer: Symbolizer, c_program: Path
) -> None:
    with programs.running(c_program) as program:
        symbolizer.processes.refresh_all()
    drain = symbolizer.symbolize(
        drain_of(RawSample(program.pid, "t", (program.addresses["hidden"],), (), 1))
    )
    (profile,) = drain.profiles
    assert dict(profile.labels)["service_name"] == "shop"
    assert [frame.function for frame in profile.frames] == ["t", "hidden"]


def test_a_program_that_was_deleted_while_it_runs_is_read_from_its_mapping(
    symbolizer: Symbolizer, tmp_path: Path, c_program: Path
) -> None:
    copy = Path(shutil.copy(c_program, tmp_path / "shop"))
    with programs.running(copy) as program:
        copy.unlink()
        try:
            next(Path(f"/proc/{program.pid}/map_files").iterdir()).stat()
        except PermissionError:
            pytest.skip("following /proc/PID/map_files needs CAP_CHECKPOINT_RESTORE")
        (frame,) = frames(symbolizer, program.pid, program.addresses["hidden"])
    assert (frame.function, frame.binary) == ("hidden", "shop")


def test_a_process_that_nobody_saw_is_unknown_and_counted(symbolizer: Symbolizer) -> None:
    stack = frames(symbolizer, NOBODY, 0x7F0000001000, 0x7F0000002000)
    assert stack == (Frame("[unknown]"), Frame("[unknown]"))
    assert symbolizer.counters.unnamed == {"process_gone": 2}


def test_an_address_outside_of_all_code_is_unknown(symbolizer: Symbolizer, c_program: Path) -> None:
    with programs.running(c_program) as program:
        assert frames(symbolizer, program.pid, 0x10) == (Frame("[unknown]"),)
    assert symbolizer.counters.unnamed == {"not_mapped": 1}


def test_code_without_a_file_is_shown_by_its_page(tmp_path: Path) -> None:
    with on_fakes(tmp_path) as (symbolizer, proc):
        proc.process(7, maps=maps_line(0x10000, 0x90000))
        stack = frames(symbolizer, 7, 0x15678, 0x15999)
    page = Frame("[unknown] [anon]+0x5000", binary="[anon]", kind=Kind.JIT)
    assert stack == (page, page)


def test_a_perf_map_names_compiled_code(tmp_path: Path) -> None:
    with on_fakes(tmp_path) as (symbolizer, proc):
        directory = proc.process(7, maps=maps_line(0x10000, 0x90000))
        (directory / "root/tmp/perf-7.map").write_bytes(b"15600 100 LazyCompile:*fib app.js:3\n")
        assert frames(symbolizer, 7, 0x15678) == (
            Frame("LazyCompile:*fib app.js:3", binary="[jit]", kind=Kind.JIT),
        )


def test_node_names_its_javascript(symbolizer: Symbolizer, tmp_path: Path) -> None:
    script = tmp_path / "app.js"
    script.write_text("function busy() { for (let i = 0; i < 1e6; i++) Math.sqrt(i) }\n"
                      "console.log(process.pid); setInterval(busy, 1)\n")  # fmt: skip
    command = [needs("node"), "--perf-basic-prof", "--interpreted-frames-native-stack", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        try:
            pid = int(process.stdout.readline())
            address = _address_of("busy", Path(f"/tmp/perf-{pid}.map"))
            (frame,) = frames(symbolizer, pid, address)
        finally:
            process.kill()
    Path(f"/tmp/perf-{pid}.map").unlink()
    assert "busy" in frame.function and frame.kind is Kind.JIT


def test_the_jvm_names_its_methods_when_it_is_asked(symbolizer: Symbolizer, tmp_path: Path) -> None:
    source = tmp_path / "Shop.java"
    source.write_text(
        "public class Shop {\n"
        "  static int busy(int n) { return n % 7; }\n"
        "  public static void main(String[] none) { for (int n = 0; ; n++) busy(n); }\n"
        "}\n"
    )
    jcmd = needs("jcmd")
    with subprocess.Popen([needs("java"), source], cwd=tmp_path) as process:
        perf_map = Path(f"/tmp/perf-{process.pid}.map")

        def ask() -> None:
            subprocess.run([jcmd, str(process.pid), "Compiler.perfmap"], capture_output=True)

        try:
            address = _address_of("Shop.busy", perf_map, ask)
            (frame,) = frames(symbolizer, process.pid, address)
        finally:
            process.kill()
    perf_map.unlink()
    assert "Shop.busy(int)" in frame.function and frame.kind is Kind.JIT


def _address_of(name: str, perf_map: Path, ask: Callable[[], None] = lambda: None) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        ask()
        for line in perf_map.read_text().splitlines() if perf_map.exists() else ():
            if name in line and line.count(" ") >= 2:
                return int(line.split()[0], 16)
        time.sleep(0.05)
    raise AssertionError(f"{name} was not compiled")


def test_a_kernel_that_hides_its_symbols_is_reported(tmp_path: Path) -> None:
    with on_fakes(tmp_path) as (symbolizer, _):
        assert symbolizer.kernel_problem == "", "nobody has asked yet"
        (tmp_path / "kallsyms").write_text("0000000000000000 T _stext\n")
        symbolizer.symbolize(drain_of(RawSample(0, "swapper", (), (0xFFFFFFFF81000000,), 1)))
        assert "CAP_SYSLOG" in symbolizer.kernel_problem


def test_closing_releases_every_descriptor(c_program: Path) -> None:
    def descriptors() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = descriptors()
    symbolizer = Symbolizer(Labelling("a"), patience_seconds=60)
    with programs.running(c_program) as program:
        frames(symbolizer, program.pid, program.addresses["hidden"])
    symbolizer.close()
    assert descriptors() == before


# --- laws -------------------------------------------------------------------------------------

addresses = st.lists(st.integers(0, (1 << 64) - 1) | st.integers(0x10000, 0x31000), max_size=6).map(
    tuple
)
samples = st.lists(
    st.builds(
        RawSample,
        pid=st.sampled_from([0, 1, 7, 8, 9, NOBODY]),
        thread_name=st.text(st.characters(), max_size=8),
        user=addresses,
        kernel=addresses,
        count=st.integers(1, 1 << 32),
        truncated=st.sampled_from(["", "depth"]),
    ),
    max_size=12,
)


@given(drains=st.lists(samples, max_size=3), losses=st.integers(0, 9), noise=st.binary(max_size=80))
def test_no_sample_is_lost_or_made_up_whatever_processes_do(
    tmp_path: Path, c_program: Path, drains: list[list[RawSample]], losses: int, noise: bytes
) -> None:
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    with on_fakes(tmp_path) as (symbolizer, proc):
        proc.process(7, maps=map_of(c_program) + maps_line(0x20000, 0x30000) + noise)
        (proc.process(8, maps=noise) / "stat").write_bytes(noise)
        proc.kernel_thread(9, "kworker")
        for number, batch in enumerate(drains):
            drain = symbolizer.symbolize(drain_of(*batch, ring_full=losses))
            assert_is_whole(drain, batch)
            proc.process(7, maps=noise, start_ticks=200 + number)


def assert_is_whole(drain: Drain, batch: list[RawSample]) -> None:
    assert drain.unaccounted == 0
    total = sum(sample.count for sample in batch)
    assert sum(profile.total_samples for profile in drain.profiles) == total
    assert sum(profile.total_value for profile in drain.profiles) == total * PERIOD_NS
    for profile in drain.profiles:
        for stack, _, _ in profile.stacks():
            assert stack[0].kind is Kind.THREAD
            assert all(frame.function.isprintable() for frame in stack)
            assert all(0 <= frame.address < 1 << 64 for frame in stack)
