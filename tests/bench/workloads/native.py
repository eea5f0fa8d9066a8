"""Programs of compiled languages: the tests' own, distributions', and compilers at work."""

import subprocess
from pathlib import Path

from tests.bench.workloads.source import functions
from tests.bench.workloads.workload import PROGRAMS, Workload, built, command, need
from tests.collector.unwind.conftest import FLAGS as BARE
from tests.collector.unwind.conftest import PROGRAMS as KNOWN

FUNCTIONS = 5_000
"""gcc -O2 takes 40 s for them."""
SQL = (
    "with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000000000) "
    "select count(*), sum(x * x) from c order by 1"
)


def workloads() -> list[Workload]:
    return [
        Workload("deep-50", command(lambda folder: [known(folder, "deep.c"), "50"])),
        Workload("deep-200", command(lambda folder: [known(folder, "deep.c"), "200"])),
        Workload("signals", command(lambda folder: [known(folder, "signals.c")])),
        Workload("realigned", command(lambda folder: [known(folder, "realign.c")])),
        Workload("musl", command(lambda folder: [known(folder, "deep.c", "musl-gcc"), "50"])),
        Workload("c++", command(lambda folder: [cxx(folder)])),
        Workload("gcc", command(cc1)),
        Workload("sqlite3", command(lambda _: [need("sqlite3"), ":memory:", SQL])),
        Workload("openssl-rsa", command(lambda _: speed("rsa2048")), complete=97),
        Workload("openssl-aes", command(lambda _: speed("-evp", "aes-256-gcm")), complete=97),
        Workload("go", command(go)),
        Workload("rust", command(rust)),
    ]


def known(folder: Path, source: str, compiler: str = "gcc") -> Path:
    """One of the programs of the unwinder's tests, built as distributions do it."""
    flags = (*BARE, "-fasynchronous-unwind-tables", "-o")
    name = f"{compiler}-{source.removesuffix('.c')}"
    return built(folder, name, compiler, *flags, name, KNOWN / source)


def cxx(folder: Path) -> Path:
    return built(folder, "c++", "g++", "-O2", "-g", "-o", "c++", PROGRAMS / "cxx.cc")


def cc1(folder: Path) -> list[str | Path]:
    """The compiler proper, at work on a large source."""
    need("gcc")
    source = folder / "large.i"
    if not source.exists():
        source.write_text(functions(FUNCTIONS))
    say = subprocess.run(
        ["gcc", "-print-prog-name=cc1"], check=True, capture_output=True, text=True
    )
    return [say.stdout.strip(), "-O2", "-fpreprocessed", source, "-o", "/dev/null", "-quiet"]


def speed(*algorithm: str) -> list[str]:
    return [need("openssl"), "speed", "-seconds", "100", *algorithm]


def go(folder: Path) -> list[Path]:
    return [built(folder, "go", "go", "build", "-o", "go", PROGRAMS / "main.go")]


def rust(folder: Path) -> list[Path]:
    return [built(folder, "rust", "rustc", "-O", "-g", "-o", "rust", PROGRAMS / "main.rs")]
