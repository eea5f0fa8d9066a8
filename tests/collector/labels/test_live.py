"""Two versions of a service and programs of 50 ms, on the running kernel."""

import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from collector.kernel.process_events import ProcessEvents
from collector.kernel.program import DWARF
from collector.kernel.sampler import Sampler
from collector.labels.labeller import Labelling
from collector.sources.live import LiveSource
from collector.symbols.symbolizer import Symbolizer

pytestmark = pytest.mark.kernel

BURN = "while :; do :; done"
BRIEFLY = f"for i in 1 2 3 4 5 6 7 8 9 10; do timeout 0.05 sh -c '{BURN}'; done"


def run(script: str, seconds: float, **variables: str) -> None:
    command = ["timeout", str(seconds), "sh", "-c", script]
    subprocess.run(command, env={"PATH": "/usr/bin:/bin", **variables})


def test_two_versions_are_two_and_programs_of_50_ms_are_of_their_parents_service(
    tmp_path: Path,
) -> None:
    sampler = Sampler(frequency_hz=199, call_graph=DWARF)
    symbolizer = Symbolizer(Labelling("a"))
    with LiveSource(sampler, ProcessEvents(), symbolizer, "a", tmp_path) as source:
        run(BURN, 1, DD_SERVICE="shop", DD_VERSION="1")
        run(BURN, 1, DD_SERVICE="shop", DD_VERSION="2")
        run(BRIEFLY, 10, OTEL_SERVICE_NAME="brief", OTEL_RESOURCE_ATTRIBUTES="service.version=3")
        time.sleep(0.1)
        drain = source.drain()
    found = Counter[tuple[str, str]]()
    for profile in drain.profiles:
        labels = dict(profile.labels)
        service = labels["service_name"], labels.get("service_version", "")
        found[service] += profile.total_samples
    assert drain.unaccounted == 0
    # Of 199, 199 and 99; a busy machine gives them a tenth of a CPU.
    assert min(found["shop", "1"], found["shop", "2"], found["brief", "3"]) > 5
    assert {version for service, version in found if service in ("shop", "brief")} == {
        "1",
        "2",
        "3",
    }
