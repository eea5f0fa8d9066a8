"""Native stacks of real programs, beside the frame-pointer walk of the same samples: needs root.

    python -m tests.bench.stacks [NAME …]

Each program runs for two seconds at 499 Hz on every CPU, once what it needs is loaded. Columns:
samples; those whose stack reaches the thread's root; mean depth; microseconds of BPF a sample, and
a frame; then of the kernel's own walk by frame pointers (bpf_get_stack) those that end in the same
root, and their mean depth; and why the others ended. Then the tables of large files: rows,
seconds to read the file, and the memory that took.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

from collector.elf.file import read_elf
from collector.elf.source import of_descriptor
from collector.unwind import table
from tests.collector.unwind.conftest import FLAGS, PROGRAMS
from tests.collector.unwind.harness import Harness, Sample, compile_program

SECONDS = 2.0
TABLE_ROW = "{:<36} {:>9} {:>8} {:>7} {:>7}".format

PYTHON = """
import json
def work():
    return len(json.dumps({str(i): [i] * 3 for i in range(200)})) + sum(x * x for x in range(500))
def descend(depth):
    return descend(depth - 1) if depth else work()
while True:
    descend(5)
"""
NODE = """
const zlib = require('zlib')
const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2)
for (;;) {
  fib(22)
  JSON.stringify(Array.from({length: 2000}, (_, i) => ({a: i, b: 'x' + i})))
  zlib.deflateSync(Buffer.alloc(20000, 'ab'))
  ;[...'hello world'.repeat(100)].sort().join('').match(/l+o/g)
}
"""
SQL = (
    "with recursive c(x) as (select 1 union all select x + 1 from c where x < 300000000) "
    "select count(*), sum(x * x) from c order by 1"
)
GO = """package main
func fib(n int) int { if n < 2 { return n }; return fib(n-1) + fib(n-2) }
func main() { for { fib(30) } }
"""
RUST = """
fn fib(n: u64) -> u64 { if n < 2 { n } else { std::hint::black_box(fib(n - 1)) + fib(n - 2) } }
fn main() {
    loop {
        let mut words: Vec<String> = (0..500).map(|n| format!("{}", n * 7919 % 500)).collect();
        words.sort();
        std::hint::black_box((fib(15), words));
    }
}
"""


def main(chosen: list[str]) -> None:
    row = "{:<12} {:>7} {:>9} {:>6} {:>7} {:>7}   {:>9} {:>6}   {}".format
    print(row("program", "samples", "complete", "depth", "us", "us/fr", "fp root", "depth", "cut"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        program = compile_program(folder)
        for name, command in commands(folder):
            if not chosen or name in chosen:
                print(row(name, *measured(program, command)), flush=True)
    print()
    tables()


def commands(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The programs that this machine has, each under its name."""
    for depth in (50, 200):
        yield f"deep {depth}", [compiled(folder, "deep.c"), str(depth)]
    yield "signals", [compiled(folder, "signals.c")]
    yield "exceptions", [compiled(folder, "exceptions.cc")]
    yield "realigned", [compiled(folder, "realign.c")]
    if shutil.which("musl-gcc"):
        yield "musl", [compiled(folder, "deep.c", "musl-gcc"), "50"]
    for python in (Path("/usr/bin/python3"), *pyenv_pythons()):
        version = python.parent.parent.name if "pyenv" in str(python) else "distro"
        yield f"py {version}", [str(python), "-c", PYTHON]
    for name, arguments in (("rsa", ["rsa2048"]), ("aes", ["-evp", "aes-256-gcm"])):
        if shutil.which("openssl"):
            yield f"openssl {name}", ["openssl", "speed", "-seconds", "20", *arguments]
    if shutil.which("node"):
        yield "node", ["node", "-e", NODE]
    if shutil.which("sqlite3"):
        yield "sqlite3", ["sqlite3", str(folder / "empty"), SQL]
    yield from compilers(folder)


def compilers(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """gcc at work, and what the compilers of other languages make."""
    cc1 = subprocess.run(
        ["gcc", "-print-prog-name=cc1"], check=True, capture_output=True, text=True
    ).stdout.strip()
    source = folder / "large.i"
    source.write_text(
        "".join(
            f"int f{i}(int a, int b) {{ int s = {i}; for (int j = 0; j < a; j++) "
            f"{{ s += j * b ^ s; if (s % 7 == 3) s -= a; }} return s; }}\n"
            for i in range(20_000)
        )
    )
    yield "gcc", [cc1, "-O2", "-fpreprocessed", str(source), "-o", "/dev/null", "-quiet"]
    if shutil.which("go"):
        (folder / "main.go").write_text(GO)
        subprocess.run(["go", "build", "-o", "go", "main.go"], cwd=folder, check=True)
        yield "go", [str(folder / "go")]
    if shutil.which("rustc"):
        (folder / "main.rs").write_text(RUST)
        subprocess.run(["rustc", "-O", "-o", "rust", "main.rs"], cwd=folder, check=True)
        yield "rust", [str(folder / "rust")]


def compiled(folder: Path, source: str, compiler: str = "") -> str:
    compiler = compiler or ("g++" if source.endswith(".cc") else "gcc")
    target = folder / f"{compiler}-{source.partition('.')[0]}"
    if not target.exists():
        flags = (*FLAGS, "-fasynchronous-unwind-tables")
        subprocess.run([compiler, *flags, "-o", target, PROGRAMS / source], check=True)
    return str(target)


def pyenv_pythons() -> list[Path]:
    found = Path.home().glob(".pyenv/versions/3.*/bin/python3")
    return sorted(found, key=lambda path: [int(n) for n in path.parts[-3].split(".")])


def measured(program: Path, command: list[str]) -> list[str]:
    with running(command) as pid, Harness(program) as harness:
        samples = harness.settled(SECONDS, pid)
    if not samples:
        return ["0", *["-"] * 6, ""]
    us, depth = mean(s.ns for s in samples) / 1000, mean(len(s.words) for s in samples)
    cut = Counter(sample.cause.name.lower() for sample in samples if not sample.complete)
    return [
        str(len(samples)),
        percent(sample.complete for sample in samples),
        f"{depth:.1f}",
        f"{us:.1f}",
        f"{us / depth:.2f}",
        percent(same_root(sample) for sample in samples),
        f"{mean(len(s.native) for s in samples):.1f}",
        " ".join(f"{cause}:{count}" for cause, count in cut.items()),
    ]


def same_root(sample: Sample) -> bool:
    return sample.complete and sample.native[-1:] == sample.words[-1:]


def percent(found: Iterator[bool]) -> str:
    values = list(found)
    return f"{100 * sum(values) / len(values):.2f} %"


@contextmanager
def running(command: list[str]) -> Iterator[int]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as process:
        time.sleep(0.5)
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def tables() -> None:
    """Each file in a process of its own, so that its memory can be told."""
    print(TABLE_ROW("file", "rows", "seconds", "rows/s", "MB"))
    for path in large_files():
        subprocess.run([sys.executable, "-m", "tests.bench.stacks", "table", path], check=True)


def print_table(path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    rows = built(path).rows
    seconds = time.process_time() - started
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    print(TABLE_ROW(path.name, rows, f"{seconds:.2f}", f"{rows / seconds / 1e6:.1f} M", peak))


def built(path: Path) -> table.Table:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return table.build(read_elf(of_descriptor(descriptor)))
    finally:
        os.close(descriptor)


def large_files() -> Iterator[Path]:
    libraries = Path("/usr/lib/x86_64-linux-gnu")
    found = [libraries / "libc.so.6", Path(shutil.which("node") or "").resolve()]
    found += sorted(libraries.glob("libLLVM-*.so.1"))
    found += sorted(Path.home().glob(".rustup/toolchains/stable*/lib/libLLVM.so*"))
    return (path for path in found if path.is_file() and path.stat().st_size > 1 << 20)


if __name__ == "__main__":
    if sys.argv[1:2] == ["table"]:
        print_table(Path(sys.argv[2]))
    else:
        main(sys.argv[1:])
