"""The labels that all series of a host share."""

import os

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "x86", "ppc64le": "ppc64"}
"""From uname(2) to OpenTelemetry's host.arch."""


def host_labels(host_name: str, machine: str = "", release: str = "") -> dict[str, str]:
    """Of this machine, unless it is told: `host_name`, `host_arch`, and the kernel's release as
    `os_version`, which is what OpenTelemetry's SDKs for Python and JavaScript put there."""
    uname = os.uname()
    machine, release = machine or uname.machine, release or uname.release
    arch = "arm32" if machine.startswith("armv") else _ARCHITECTURES.get(machine, machine)
    return {"host_name": host_name, "host_arch": arch, "os_version": release}
