"""The units are what systemd understands, and give the collector what its code says it needs."""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from collector import priority
from collector.kernel.pins import PINS
from collector.privileges import NEEDED

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
SYSTEM = Path("/usr/lib/systemd/system")
EXPOSURE = {"profiler-collector": 32, "profiler-server": 15}
"""Tenths of systemd's scale, on which a service without any protection has 96. What remains of the
collector's are its capabilities, the processes and the network."""

names = pytest.mark.parametrize("name", EXPOSURE)


def settings(name: str) -> dict[str, list[str]]:
    found = defaultdict[str, list[str]](list)
    for line in (UNITS / f"{name}.service").read_text().splitlines():
        if match := re.fullmatch(r"([A-Z]\w+)=(.*)", line):
            found[match[1]].append(match[2])
    return found


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    command = [program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@names
def test_systemd_understands_every_line(name: str, tmp_path: Path) -> None:
    units = tmp_path / "etc" / "systemd" / "system"
    program = tmp_path / "opt" / "profiler" / "bin" / "profiler"
    units.mkdir(parents=True)
    program.parent.mkdir(parents=True)
    shutil.copy("/bin/true", program)
    if SYSTEM.exists():
        shutil.copytree(SYSTEM, tmp_path / "usr" / "lib" / "systemd" / "system", symlinks=True)
    unit = Path(shutil.copy(UNITS / f"{name}.service", units))
    checked = analyze("verify", f"--root={tmp_path}", unit)
    ours = [line for line in checked.stderr.splitlines() if unit.name in line]
    assert checked.returncode == 0 and not ours, checked.stderr
    unit.write_text(unit.read_text() + "[Service]\nNoSuchSetting=1\n")
    checked = analyze("verify", f"--root={tmp_path}", unit)
    assert "NoSuchSetting" in checked.stderr, "what is wrong is found"


@names
def test_little_is_open_to_what_runs_in_it(name: str) -> None:
    unit = UNITS / f"{name}.service"
    least = f"--threshold={EXPOSURE[name]}"
    judged = analyze("security", "--offline=true", "--no-pager", least, unit)
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_the_collector_has_the_capabilities_that_it_needs_and_no_others() -> None:
    unit = settings("profiler-collector")
    for setting in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert unit[setting] == [" ".join(one.name for one in NEEDED)]
    assert unit["NoNewPrivileges"] == ["yes"]
    for setting in ("ProtectKernelLogs", "ProtectKernelTunables"):
        assert setting not in unit, "it takes CAP_SYSLOG away, or hides /proc/kallsyms"


def test_the_collector_has_the_priority_that_it_gives_itself() -> None:
    unit = settings("profiler-collector")
    assert unit["Nice"] == [str(priority.NICE)]
    assert unit["OOMScoreAdjust"] == [str(priority.OOM_SCORE)]
    assert unit["CPUSchedulingPolicy"] == ["batch"]


def test_the_collector_may_call_what_the_kernel_offers_profilers() -> None:
    assert {"bpf", "perf_event_open"} <= set(
        settings("profiler-collector")["SystemCallFilter"][0].split()
    )


def test_the_collectors_user_may_hold_counters_where_it_does_by_default() -> None:
    (before,) = settings("profiler-collector")["ExecStartPre"]
    assert before.startswith("-+") and before.split()[-3:] == ["-m", "1777", str(PINS)]


def test_the_server_has_no_capability() -> None:
    unit = settings("profiler-server")
    assert unit["CapabilityBoundingSet"] == unit["AmbientCapabilities"] == [""]


def test_the_page_names_each_capability_with_what_the_code_says() -> None:
    text = (UNITS.parents[1] / "docs" / "guide" / "privileges.md").read_text()
    table = text.split("| capability | for | without it |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (CAP_\w+) \| (.+) \| (.+) \|$", table, re.MULTILINE)
    assert rows == [(one.name, one.purpose, one.lacking) for one in NEEDED]
