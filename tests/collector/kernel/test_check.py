"""What the node check finds, on this node and in files of others."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from collector import privileges
from collector.kernel import check
from collector.kernel.check import Finding, NodeReport, render
from tests.collector.kernel.test_loader import UNPRIVILEGED

STATUS = "Name:\tcat\nCapPrm:\t0000000000000000\nCapEff:\t{:016x}\nCapBnd:\t000001ffffffffff\n"


def found(report: NodeReport) -> dict[str, Finding]:
    return {finding.name: finding for finding in report.findings}


@pytest.mark.kernel
def test_a_node_that_can_sample_is_ready() -> None:
    report = check.inspect()
    assert report.ready
    assert found(report)["cpu-clock"].works
    assert any(found(report)[f"loader {name}"].works for name in ("libbpf", "bcc"))
    assert render(report).endswith("This node can be sampled.")


def test_a_node_without_privileges_is_told_what_to_give() -> None:
    code = "from collector.kernel import check; print(check.render(check.inspect()))"
    said = subprocess.run(
        [*UNPRIVILEGED, sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    for name in ("CAP_BPF", "CAP_PERFMON"):
        assert re.search(f"^MISSING  {name} +not given; it is for ", said, re.MULTILINE)
    assert "-> run as root, or give the service this capability; without it, no samples\n" in said
    assert said.endswith("This node cannot be sampled.\n")


@pytest.mark.parametrize(
    ("effective", "missing"),
    [
        (0, privileges.NEEDED),
        (privileges.mask(privileges.NEEDED), ()),
        (privileges.mask(privileges.NEEDED[1:]), privileges.NEEDED[:1]),
        # It was the newer ones, and still is; it never was these for files in /proc.
        (
            1 << 21,
            (privileges.SYS_PTRACE, privileges.DAC_READ_SEARCH, privileges.SYSLOG),
        ),
        ((1 << 41) - 1, ()),
    ],
)
def test_each_capability_that_is_missing_is_named_with_what_it_is_for(
    effective: int, missing: tuple[privileges.Capability, ...]
) -> None:
    findings = list(check.capabilities(STATUS.format(effective), privileges.NEEDED))
    assert [one.name for one in findings] == [one.name for one in privileges.NEEDED]
    assert [one.name for one in findings if not one.works] == [one.name for one in missing]
    for finding, capability in zip(findings, privileges.NEEDED, strict=True):
        assert capability.purpose in finding.value
        assert finding.works or capability.lacking in finding.mend
        assert finding.needed == (capability.name in ("CAP_BPF", "CAP_PERFMON"))


def test_a_container_that_sees_its_own_processes_alone_is_told() -> None:
    assert check.processes("pid:[4026531836]").works
    finding = check.processes("pid:[4026532229]")
    assert not finding.works and "hostPID" in finding.mend


@pytest.mark.parametrize(
    ("text", "works"),
    [("ffffffff81000000 T _stext\n", True), ("0000000000000000 T _stext\n", False), ("", False)],
)
def test_kernel_symbols_without_addresses_are_hidden(
    tmp_path: Path, text: str, works: bool
) -> None:
    symbols = tmp_path / "kallsyms"
    symbols.write_text(text)
    assert check.kernel_symbols(symbols).works == works


def test_the_rendering_aligns_and_mends() -> None:
    report = NodeReport(
        (
            Finding("kernel", "6.1"),
            Finding("cycles", "not on this machine", works=False),
            Finding("loader", "no library", works=False, needed=True, mend="install it"),
        )
    )
    assert render(report).splitlines() == [
        "ok       kernel  6.1",
        "-        cycles  not on this machine",
        "MISSING  loader  no library",
        "                 -> install it",
        "This node cannot be sampled.",
    ]
