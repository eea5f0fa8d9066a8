"""Both loaders of the one program, and what they say where they cannot."""

import subprocess
import sys
from pathlib import Path

import pytest

from collector.kernel import abi, files, loader
from collector.kernel.loader import LOADERS, fit, load
from collector.kernel.maps import Shape, shape_of
from collector.kernel.program import Loaded, Program, Sizes
from profiler.errors import ProfilerError, UnavailableError, UsageError

# Without any capability, still as the owner of the files.
UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def shapes(loaded: Loaded) -> dict[str, Shape]:
    return {name: shape_of(fd) for name, fd in loaded.maps.items()}


def failing(reason: str) -> loader.Load:
    def load(sizes: Sizes, program: Program) -> Loaded:
        raise UnavailableError(reason)

    return load


@pytest.mark.kernel
@pytest.mark.parametrize(
    "sizes",
    [Sizes(), Sizes(stacks=32, counts=100, ring_bytes=1 << 16, depth=20), Sizes(ring_bytes=0)],
    ids=["default", "small", "no ring"],
)
def test_both_loaders_make_the_same_maps_in_the_sizes_asked_for(sizes: Sizes) -> None:
    with load("libbpf", sizes) as by_libbpf, load("bcc", sizes) as by_bcc:
        assert shapes(by_libbpf) == shapes(by_bcc)
        assert tuple(by_libbpf.maps) == tuple(by_bcc.maps) == sizes.map_names
        made = shapes(by_libbpf)
    assert made["stacks_1"] == Shape(7, 4, 8 * sizes.depth, sizes.stacks)
    assert made["counts_0"].max_entries == sizes.counts
    assert (abi.RING in made) == bool(sizes.ring_bytes)


@pytest.mark.kernel
def test_auto_takes_the_first_loader_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    with load("auto") as loaded:
        assert loaded.loader == "libbpf"
    monkeypatch.setitem(LOADERS, "libbpf", failing("no library"))
    with load("auto") as loaded:
        assert loaded.loader == "bcc"


def test_auto_names_the_reason_of_each_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOADERS, "libbpf", failing("no library"))
    monkeypatch.setitem(LOADERS, "bcc", failing("no module"))
    with pytest.raises(UnavailableError, match="no BPF loader works: no library; no module"):
        load("auto")


@pytest.mark.kernel
def test_the_program_loads_without_the_kernels_btf() -> None:
    hide = 'mount -t tmpfs none /sys/kernel/btf && exec "$0" -c "$1"'
    code = "from collector.kernel.loader import load; load('libbpf').close(); load('bcc').close()"
    subprocess.run(["unshare", "-m", "sh", "-c", hide, sys.executable, code], check=True)


@pytest.mark.parametrize("name", LOADERS)
def test_without_privileges_one_line_names_the_capabilities(name: str) -> None:
    code = f"from collector.kernel.loader import load; load({name!r})"
    refused = subprocess.run(
        [*UNPRIVILEGED, sys.executable, "-c", code], capture_output=True, text=True
    )
    last = refused.stderr.splitlines()[-1]
    assert "PrivilegeError: the kernel refuses to load BPF programs" in last
    assert "CAP_BPF and CAP_PERFMON (root before Linux 5.8)" in last


@pytest.mark.kernel
def test_what_bcc_cannot_compile_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "include" / "linux").mkdir(parents=True)
    (tmp_path / "include" / "linux" / "kconfig.h").touch()
    monkeypatch.setenv("BCC_KERNEL_SOURCE", str(tmp_path))
    with pytest.raises(ProfilerError) as raised:
        load("bcc")
    assert "\n" not in str(raised.value)
    assert "'linux/types.h' file not found" in str(raised.value)


@pytest.mark.kernel
def test_what_libbpf_says_of_a_broken_object_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "profile.bpf.o").write_bytes(b"\x7fELF" + bytes(100))
    monkeypatch.setattr(files, "_PLACES", (tmp_path,))
    with pytest.raises(ProfilerError) as raised:
        load("libbpf")
    assert "\n" not in str(raised.value)
    assert "is not a proper ELF object" in str(raised.value)


def test_a_missing_object_names_the_step_that_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PLACES", ())
    with pytest.raises(UnavailableError, match=r"profile\.bpf\.o is not there: run `make bpf`"):
        files.find("build/profile.bpf.o")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"stacks": 1000}, "stacks must be a power of two, got 1000"),
        ({"counts": 0}, "counts must be at least 1, got 0"),
        ({"ring_bytes": 5000}, "ring_bytes must be 0 or a power of two"),
        ({"ring_bytes": 1}, "of at least a page"),
        ({"depth": 128}, "depth must be from 1 to 127, got 128"),
    ],
)
def test_a_size_that_the_kernel_would_refuse_is_named(wrong: dict[str, int], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        Sizes(**wrong)


def test_sizes_are_fitted_to_the_depth_of_this_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "perf_event_max_stack"
    limit.write_text("64\n")
    monkeypatch.setattr(loader, "_MAX_STACK", limit)
    assert fit(Sizes()).depth == 64
    assert fit(Sizes(depth=32)).depth == 32
