"""What the node check finds, on this node and in files of others."""

import subprocess
import sys
from pathlib import Path

import pytest

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
    assert "MISSING  capabilities to sample  without CAP_BPF, CAP_PERFMON\n" in said
    assert "-> run as root, or give the service these capabilities\n" in said
    assert said.endswith("This node cannot be sampled.\n")


@pytest.mark.parametrize(
    ("effective", "sampling", "naming"),
    [
        (0, "without CAP_BPF, CAP_PERFMON", "without CAP_SYSLOG, CAP_SYS_PTRACE"),
        (1 << 38, "without CAP_BPF", "without CAP_SYSLOG"),
        (1 << 38 | 1 << 39, "CAP_BPF, CAP_PERFMON", "without CAP_SYSLOG"),
        (1 << 21, "CAP_BPF, CAP_PERFMON", "without CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH"),
        ((1 << 41) - 1, "CAP_BPF, CAP_PERFMON", "CAP_SYSLOG, CAP_SYS_PTRACE"),
    ],
)
def test_capabilities_are_read_by_name(effective: int, sampling: str, naming: str) -> None:
    to_sample, to_name = check.capabilities(STATUS.format(effective))
    assert to_sample.value == sampling
    assert to_sample.works == (not sampling.startswith("without"))
    assert to_name.value.startswith(naming)


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
