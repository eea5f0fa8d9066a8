"""Programs with known stacks, and the test program that walks them in the kernel."""

import shutil
import subprocess
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from profiler.errors import ProfilerError
from tests.collector.unwind.harness import Harness, Sample, compile_program, read_mappings

PROGRAMS = Path(__file__).with_name("programs")
FLAGS = ("-O2", "-fomit-frame-pointer", "-fno-optimize-sibling-calls", "-fno-pie", "-no-pie")

Build = Callable[..., Path]
Walk = Callable[..., "Walked"]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled test program; skips aloud where the machine cannot make or load it."""
    if shutil.which("clang") is None:
        pytest.skip("no clang: apt-get install clang")
    path = compile_program(tmp_path_factory.mktemp("bpf"))
    try:
        with Harness(path):
            pass
    except (ProfilerError, OSError) as error:
        pytest.skip(f"the kernel does not take the program: {error}")
    return path


@pytest.fixture(scope="session")
def harness(program: Path) -> Iterator[Harness]:
    """One for all tests, so that the C library's table is built once."""
    with Harness(program) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles sources of `programs/`, by default as distributions do: optimised, without frame
    pointers."""
    folder = tmp_path_factory.mktemp("programs")
    built: dict[tuple[str, ...], Path] = {}

    def compiled(*sources: str, compiler: str = "", flags: Sequence[str] = FLAGS) -> Path:
        compiler = compiler or ("g++" if sources[0].endswith(".cc") else "gcc")
        if shutil.which(compiler) is None:
            pytest.skip(f"no {compiler}")
        key = (compiler, *sources, *flags)
        if key not in built:
            built[key] = folder / f"{len(built)}-{sources[0].partition('.')[0]}"
            files = [str(PROGRAMS / source) for source in sources]
            subprocess.run([compiler, *flags, "-pthread", "-o", built[key], *files], check=True)
        return built[key]

    return compiled


class Walked:
    """The samples of one process, and the names of its frames."""

    def __init__(self, samples: list[Sample], names: "Names") -> None:
        self.samples = samples
        self._names = names

    @property
    def complete(self) -> float:
        return sum(sample.complete for sample in self.samples) / len(self.samples)

    def stacks(self) -> set[tuple[str, ...]]:
        """The different stacks, innermost first; a frame that has no symbol is its file."""
        return {self._names.stack(sample.words) for sample in self.samples}

    def own_stacks(self) -> set[tuple[str, ...]]:
        """Without the frames that are not the program's own, `_start` left out too."""
        return {
            tuple(name for name in stack if "." not in name and name != "_start")
            for stack in self.stacks()
        }


class Names:
    """Function names of one process, from the symbol tables of what it has mapped."""

    def __init__(self, pid: int, executable: Path) -> None:
        self._mappings = read_mappings(pid) or ()
        self._own = str(executable).encode()
        self._symbols = symbols(executable)

    def stack(self, ips: Sequence[int]) -> tuple[str, ...]:
        # All but the innermost are return addresses.
        return tuple(self.name(ip - (place > 0)) for place, ip in enumerate(ips))

    def name(self, address: int) -> str:
        for mapping in self._mappings:
            if mapping.start <= address < mapping.end:
                if mapping.path != self._own:
                    return f"{mapping.name}." if "." not in mapping.name else mapping.name
                return self._symbol(address, mapping.start - mapping.offset)
        return "?."

    def _symbol(self, address: int, load: int) -> str:
        # Linked at fixed addresses, symbols are runtime addresses; else they count from the load.
        for base in (0, load):
            at = bisect_right(self._symbols, (address - base, "\x7f")) - 1
            if at >= 0 and address - base - self._symbols[at][0] < 1 << 16:
                return self._symbols[at][1].partition(".")[0]
        return "?."


def symbols(executable: Path) -> list[tuple[int, str]]:
    """(address, function) by address."""
    lines = subprocess.run(
        ["nm", "-C", "--defined-only", executable], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    fields = [line.split(" ", 2) for line in lines]
    return sorted(
        (int(address, 16), name.partition("(")[0])
        for address, kind, name in fields
        if kind in "tTwW"
    )


@pytest.fixture
def walk(harness: Harness) -> Iterator[Walk]:
    """`walk(executable, *arguments)` samples a program once what it needs is loaded; one that is
    `told` something, by a signal, at first before and then after it."""
    with ExitStack() as running:

        def walked(
            executable: Path, *arguments: str, seconds: float = 0.25, told: int | None = None
        ) -> Walked:
            process = running.enter_context(
                subprocess.Popen(
                    [executable, *arguments],
                    stdout=subprocess.DEVNULL if told is None else subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            )
            running.callback(process.kill)
            if told is not None:
                assert process.stdout and process.stdout.read(1) == b"!"
                harness.settled(0.1, process.pid)
                process.send_signal(told)
                assert process.stdout.read(1) == b"!"
            samples = harness.settled(seconds, process.pid)
            return Walked(samples, Names(process.pid, executable))

        yield walked
