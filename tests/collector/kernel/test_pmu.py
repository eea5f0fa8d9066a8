"""Units that count, as sysfs describes them: a folder made here, and the machine's own."""

from pathlib import Path

import pytest

from collector.events import Pmu, parse
from collector.kernel import pmu
from collector.kernel.perf_event import EXCLUDE_KERNEL, Counter
from collector.kernel.sampler import Sampler
from profiler.errors import UnavailableError, UsageError


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """One unit with the terms of an Intel core's, and an event of each kind."""
    files = {
        "type": "4",
        "cpus": "0-1,4",
        "format/event": "config:0-7",
        "format/umask": "config:8-15",
        "format/inv": "config:23",
        "format/offcore_rsp": "config1:0-63",
        "format/split": "config2:0-3,8-11",
        "format/later": "config3:0-63",
        "events/instructions": "event=0xc0",
        "events/stalls": "event=0xa2,umask=0x8,inv",
        "events/stalls.scale": "0.5",
        "events/per-chip": "event=0x1,chip=?",
    }
    for name, text in files.items():
        path = tmp_path / "cpu_core" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return tmp_path


def counter(text: str, devices: Path) -> Counter:
    (event,) = parse(text, frequency_hz=99)
    assert isinstance(event.source, Pmu)
    return pmu.counter(event.source, event.name, devices)


@pytest.mark.parametrize(
    ("terms", "configs"),
    [
        ("event=0xc0,umask=0x1", (0x1C0, 0, 0)),
        ("instructions", (0xC0, 0, 0)),
        ("instructions,umask=3", (0x3C0, 0, 0)),
        ("stalls", (1 << 23 | 0x8A2, 0, 0)),
        ("event=1,inv", (1 << 23 | 1, 0, 0)),
        ("event=1,inv=0", (1, 0, 0)),
        ("event=0xb7,offcore_rsp=0xffffffffffffffff", (0xB7, 2**64 - 1, 0)),
        ("split=0xab", (0, 0, 0xA0B)),
        ("config=0x2,config2=7", (2, 0, 7)),
    ],
)
def test_terms_are_bits_of_the_configuration(
    terms: str, configs: tuple[int, int, int], devices: Path
) -> None:
    found = counter(f"cpu_core/{terms}/u", devices)
    assert (found.config, found.config1, found.config2) == configs
    assert (found.type, found.flags, found.cpus) == (4, EXCLUDE_KERNEL, frozenset({0, 1, 4}))


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("cpu/event=1/", "event cpu/event=1/: no unit cpu counts here; there are cpu_core"),
        ("cpu_core/evnt=1/", "has no term evnt; there are event, inv, later, offcore_rsp, split"),
        ("cpu_core/evnt=1/", "of events, there are instructions, per-chip, stalls$"),
        ("cpu_core/event=0x100/", "event=0x100 has more than its 8 bits"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(event: str, said: str, devices: Path) -> None:
    with pytest.raises(UsageError, match=said):
        counter(event, devices)


@pytest.mark.parametrize("term", ["later=1", "per-chip"])
def test_what_newer_kernels_describe_is_refused(term: str, devices: Path) -> None:
    with pytest.raises(UnavailableError, match=f"event cpu_core/{term}/: .* not known"):
        counter(f"cpu_core/{term}/", devices)


@pytest.mark.kernel
def test_a_unit_that_cannot_sample_is_refused_by_name() -> None:
    if not (pmu.DEVICES / "msr").exists():
        pytest.skip("this machine has no unit msr")
    with pytest.raises(UnavailableError, match="event msr/tsc/: this machine does not count it"):
        Sampler(event="msr/tsc/").__enter__()
