"""Versions of services in environments, containers and units, on the running kernel."""

import os
import shlex
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.kernel.process_events import ProcessEvents
from collector.kernel.program import DWARF
from collector.kernel.sampler import Sampler
from collector.kernel.sampling import Sampling
from collector.labels.labeller import Labelling
from collector.sources.live import LiveSource
from collector.symbols.symbolizer import Symbolizer
from profiler.model import Drain
from tests.collector.labels.engine_server import container, known, serving

pytestmark = pytest.mark.kernel

BURN = "while :; do :; done"
BRIEFLY = f"for i in 1 2 3 4 5 6 7 8 9 10; do timeout 0.05 sh -c '{BURN}'; done"
OLD, NEW = "3f1c" * 16, "07ab" * 16


def run(script: str, seconds: float, **variables: str) -> None:
    command = ["timeout", str(seconds), "sh", "-c", script]
    subprocess.run(command, env={"PATH": "/usr/bin:/bin", **variables})


def drained(labelling: Labelling, folder: Path, work: Callable[[], None]) -> Drain:
    sampler = Sampler(frequency_hz=199, call_graph=DWARF, target=[os.getpid()], on_exec=False)
    symbolizer = Symbolizer(labelling)
    with LiveSource(Sampling([sampler]), ProcessEvents(), symbolizer, "a", folder) as source:
        work()
        time.sleep(0.1)
        (drain,) = source.drain()
        return drain


def services(drain: Drain) -> Counter[tuple[str, str]]:
    """Samples by service and version."""
    found = Counter[tuple[str, str]]()
    for profile in drain.profiles:
        labels = dict(profile.labels)
        service = labels["service_name"], labels.get("service_version", "")
        found[service] += profile.total_samples
    return found


def test_two_versions_are_two_and_programs_of_50_ms_are_of_their_parents_service(
    tmp_path: Path,
) -> None:
    def work() -> None:
        run(BURN, 1, DD_SERVICE="shop", DD_VERSION="1")
        run(BURN, 1, DD_SERVICE="shop", DD_VERSION="2")
        run(BRIEFLY, 10, OTEL_SERVICE_NAME="brief", OTEL_RESOURCE_ATTRIBUTES="service.version=3")

    drain = drained(Labelling("a"), tmp_path, work)
    found = services(drain)
    assert drain.unaccounted == 0
    # Of 199, 199 and 99; a busy machine gives them a tenth of a CPU.
    assert min(found["shop", "1"], found["shop", "2"], found["brief", "3"]) > 5
    assert {version for name, version in found if name in ("shop", "brief")} == {"1", "2", "3"}


def test_versions_in_containers_and_a_unit_are_told_apart_by_their_control_groups(
    slice_: Path, tmp_path: Path
) -> None:
    groups = [f"docker-{OLD}.scope", f"docker-{NEW}.scope", "till@2.service"]

    def work() -> None:
        for name in groups:
            (slice_ / name).mkdir()
            move = f"echo $$ > {shlex.quote(str(slice_ / name))}/cgroup.procs"
            run(f"{move}; exec sh -c {shlex.quote(BURN)}", 1)

    engine = tmp_path / "engine"
    containers = {OLD: container(image="shop:1.0"), NEW: container(image="shop:1.1")}
    with serving(engine, known(containers)):
        labelling = Labelling("a", engine_sockets=(engine,))
        found = services(drained(labelling, tmp_path / "unwind", work))
    assert min(found["shop", "1.0"], found["shop", "1.1"], found["till", ""]) > 5
