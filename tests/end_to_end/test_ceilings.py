"""The collector holds itself to its ceilings, and every sample is still accounted for."""

import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from profiler.wire import decode, read_batches
from tests.end_to_end.conftest import started
from tests.processes import eventually, free_address, running

pytestmark = pytest.mark.kernel

WITHOUT_END = "while :; do /bin/true; done"


@contextmanager
def starting_programs() -> Iterator[None]:
    """A shell that starts one program after the other."""
    with subprocess.Popen(["/bin/sh", "-c", WITHOUT_END]) as process:
        try:
            yield
        finally:
            process.kill()


def metric(address: str, name: str) -> float:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as response:
        found = re.search(rf"^profiler_collector_{name} (\S+)$", response.read().decode(), re.M)
    assert found, name
    return float(found[1])


def test_a_ceiling_of_cpu_time_lowers_the_rate_and_then_pauses_the_rest(
    split: Path, tmp_path: Path
) -> None:
    """A tenth of a percent of a CPU is spent at once, so every step is taken."""
    address, log, samples = free_address(), tmp_path / "log", tmp_path / "samples.pb"
    bounds = ["--max-cpu", "0.1", "--interval", "300ms"]
    command = ["collect", *bounds, "--to", str(samples), "--metrics", address]

    def restrained() -> bool | None:
        return True if metric(address, "restraint_step") == 7 else None

    with started(split), starting_programs(), running(*command, log=log):
        eventually(restrained, "the last step", log)
        assert metric(address, "symbols_paused") == 1
        assert metric(address, "sampling_frequency_hertz") == 3
        assert metric(address, 'cpu_seconds_total{part="collector"}'.replace("{", r"\{")) > 0
        assert metric(address, 'cpu_seconds_total{part="kernel"}'.replace("{", r"\{")) > 0

    with samples.open("rb") as file:
        drains = [decode(batch) for batch in read_batches(file)]
    assert [drain.unaccounted for drain in drains] == [0] * len(drains)
    periods = [profile.period for drain in drains for profile in drain.profiles]
    assert periods == sorted(periods)
    assert {10**9 // hz for hz in (99, 49, 24, 12, 6, 3)} == set(periods)
    taken = re.search(r"taken ([\d,]+) samples, 0 of them lost", log.read_text())
    assert taken and int(taken[1].replace(",", "")) == sum(drain.taken for drain in drains)


def test_a_ceiling_of_memory_gives_memory_back_and_reads_no_more_symbols(
    split: Path, tmp_path: Path
) -> None:
    address, log, samples = free_address(), tmp_path / "log", tmp_path / "samples.pb"
    bounds = ["--max-memory", "20MiB", "--interval", "300ms"]
    command = ["collect", *bounds, "--to", str(samples), "--metrics", address]

    def given_back() -> bool | None:
        return True if metric(address, "memory_given_back_total") > 1 else None

    with started(split), running(*command, log=log):
        eventually(given_back, "memory was given back", log)
        assert metric(address, "symbols_paused") == 1
        assert metric(address, "restraint_step") > 0
    assert "20 are allowed (--max-memory)" in log.read_text()
