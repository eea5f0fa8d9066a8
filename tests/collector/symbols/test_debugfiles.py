"""Where debug files are looked for, and which are believed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.labels.labeller import Labelling
from collector.symbols.debugfiles import DebugFiles
from collector.symbols.program import Program, read_program
from collector.symbols.symbolizer import Symbolizer
from tests.collector.processes.fake_proc import give_away
from tests.collector.symbols import programs
from tests.collector.symbols.drains import frames
from tests.collector.symbols.programs import BUILD_ID, C_SOURCE, compiled, needs

PID = 7


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What the process sees as /."""
    root = tmp_path / str(PID) / "root"
    root.mkdir(parents=True)
    return root


@contextmanager
def stripped(root: Path, *flags: str) -> Iterator[tuple[Program, Path]]:
    """A program at /srv/shop of the process, and its debug file, which is not where it belongs."""
    srv = root / "srv"
    srv.mkdir(exist_ok=True)
    whole = compiled(root / "whole", C_SOURCE, "-O2", "-g", *flags)
    debug = root / "shop.debug"
    objcopy = needs("objcopy")
    subprocess.run([objcopy, "--only-keep-debug", whole, debug], check=True)
    link = f"--add-gnu-debuglink={debug}"
    subprocess.run([objcopy, "-S", link, whole, srv / "shop"], check=True)
    descriptor = os.open(srv / "shop", os.O_RDONLY)
    try:
        yield read_program(descriptor, "shop", b"/srv/shop", PID), debug
    finally:
        os.close(descriptor)


def found(tmp_path: Path, program: Program) -> str:
    """The debug file that is opened, below `tmp_path`; "" for none."""
    descriptor = DebugFiles(tmp_path, tmp_path / "debug").open(program)
    if descriptor is None:
        return ""
    path = Path(f"/proc/self/fd/{descriptor}").readlink()
    os.close(descriptor)
    return str(path.relative_to(tmp_path))


def put(debug: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(debug, target)


BY_BUILD_ID = f"usr/lib/debug/.build-id/{BUILD_ID[:2]}/{BUILD_ID[2:]}.debug"


@pytest.mark.parametrize(
    "place",
    [BY_BUILD_ID, "srv/shop.debug", "srv/.debug/shop.debug", "usr/lib/debug/srv/shop.debug"],
)
@pytest.mark.parametrize("identified", [True, False], ids=["build-id", "checksum"])
def test_a_debug_file_is_found_where_gdb_finds_it(
    tmp_path: Path, root: Path, place: str, identified: bool
) -> None:
    flags = () if identified else ("-Wl,--build-id=none",)
    with stripped(root, *flags) as (program, debug):
        assert found(tmp_path, program) == ""
        put(debug, root / place)
        expected = identified or place != BY_BUILD_ID
        assert found(tmp_path, program) == (f"{PID}/root/{place}" if expected else "")


def test_ours_come_before_the_processes(tmp_path: Path, root: Path) -> None:
    with stripped(root) as (program, debug):
        put(debug, root / BY_BUILD_ID)
        ours = tmp_path / "debug" / f".build-id/{BUILD_ID[:2]}/{BUILD_ID[2:]}.debug"
        put(debug, ours)
        assert found(tmp_path, program) == str(ours.relative_to(tmp_path))


def test_the_debug_file_of_another_build_is_not_believed(tmp_path: Path, root: Path) -> None:
    with stripped(root) as (program, _):
        other = compiled(tmp_path / "other", C_SOURCE, "-g", "-Wl,--build-id=0x123456")
        put(other, root / BY_BUILD_ID)
        put(other, root / "srv/shop.debug")
        assert found(tmp_path, program) == ""


def test_a_debug_file_without_a_build_id_must_have_the_checksum(tmp_path: Path, root: Path) -> None:
    with stripped(root, "-Wl,--build-id=none") as (program, debug):
        changed = debug.read_bytes() + b"\0"
        (root / "srv/shop.debug").write_bytes(changed)
        assert found(tmp_path, program) == ""
        put(debug, root / "srv/.debug/shop.debug")
        assert found(tmp_path, program) == f"{PID}/root/srv/.debug/shop.debug"


def test_another_users_debug_file_is_not_believed(tmp_path: Path, root: Path) -> None:
    with stripped(root) as (program, debug):
        put(debug, root / "srv/shop.debug")
        give_away(root / "srv/shop.debug")
        assert found(tmp_path, program) == ""


def test_links_lead_where_the_process_would_follow_them(tmp_path: Path, root: Path) -> None:
    """Not to ours, which have the same names."""
    with stripped(root) as (program, debug):
        outside = tmp_path / "outside.debug"
        put(debug, outside)
        link = root / BY_BUILD_ID
        link.parent.mkdir(parents=True)
        link.symlink_to(outside)
        assert found(tmp_path, program) == ""
        put(debug, root / outside.relative_to("/"))
        assert found(tmp_path, program) == f"{PID}/root{outside}"


@pytest.mark.parametrize("name", ["../shop.debug", "/etc/passwd", "..", ""])
def test_a_link_that_is_no_file_name_is_not_followed(tmp_path: Path, root: Path, name: str) -> None:
    with stripped(root) as (program, _):
        section = tmp_path / "section"
        section.write_bytes(name.encode().ljust(16, b"\0") + bytes(4))
        command = [needs("objcopy"), f"--update-section=.gnu_debuglink={section}"]
        subprocess.run([*command, root / "srv/shop", root / "srv/hostile"], check=True)
        with (root / "srv/hostile").open("rb") as file:
            hostile = read_program(file.fileno(), "shop", b"/srv/shop", PID)
            assert found(tmp_path, hostile) == ""
        assert program.build_id == hostile.build_id


def test_a_program_with_its_own_dwarf_needs_no_other_file(tmp_path: Path, root: Path) -> None:
    with stripped(root) as (_, debug):
        put(debug, root / BY_BUILD_ID)
        with (root / "whole").open("rb") as file:
            whole = read_program(file.fileno(), "whole", b"/whole", PID)
            assert found(tmp_path, whole) == ""


def test_debug_files_that_share_a_supplementary_one_name_functions_and_lines(
    tmp_path: Path,
) -> None:
    """As Debian's -dbgsym packages do. What is inlined has its name in the other file."""
    dwz, objcopy = needs("dwz"), needs("objcopy")
    debug = tmp_path / "debug/.build-id" / BUILD_ID[:2] / f"{BUILD_ID[2:]}.debug"
    debug.parent.mkdir(parents=True)
    shop = programs.compiled(tmp_path / "whole", C_SOURCE, "-O2", "-g")
    for target in (debug, tmp_path / "other.debug"):
        subprocess.run([objcopy, "--only-keep-debug", shop, target], check=True)
    shared = tmp_path / "shared.debug"
    subprocess.run([dwz, "-m", shared, debug, tmp_path / "other.debug"], check=True)
    sections = subprocess.run([needs("readelf"), "-S", debug], capture_output=True, text=True)
    assert ".gnu_debugaltlink" in sections.stdout
    subprocess.run([objcopy, "--strip-all", shop, tmp_path / "shop"], check=True)

    symbolizer = Symbolizer(Labelling("a"), debug=tmp_path / "debug", patience_seconds=60)
    with programs.running(tmp_path / "shop") as program:
        at = program.addresses
        *callers, leaf = frames(symbolizer, program.pid, at["hidden"], at["return"])
    symbolizer.close()
    assert [(frame.function, frame.line) for frame in callers] == [("outer", 20)]
    assert leaf.function == "hidden" and 24 <= leaf.line <= 27
