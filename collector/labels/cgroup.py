"""What the control groups of a process say that it belongs to, from /proc/PID/cgroup (cgroups(7)).

    0::/system.slice/docker-3f1c….scope
    4:memory:/kubepods/burstable/pod7a6b8a6e-…/5e2f…

A container is a component with 64 hexadecimal digits, as all engines name it: below the systemd
driver `docker-ID.scope`, `cri-containerd-ID.scope`, `crio-ID.scope`, `libpod-ID.scope`, else `ID`
below `docker`, `podUID` and the like; containerd without that driver, on a node with it, joins the
three by colons. The innermost one counts, which is what runs the process where one runs inside
another.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collector.processes.text import printable

MAX_BYTES = 16 << 10
MAX_PATH = 4096
"""PATH_MAX of linux/limits.h."""

RUNTIMES = {
    "docker": "docker",
    "cri-containerd": "containerd",
    "containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "libpod": "podman",
    "libpod_parent": "podman",
}
"""What engines call themselves in a path, and what OpenTelemetry's examples call them."""

_DELETED = b" (deleted)"
_CONTAINER = re.compile(r"(?:([a-z][a-z-]{0,31})-)?([0-9a-f]{64})(?:\.scope)?", re.ASCII)
_POD = re.compile(
    # A pod from a file on the node has 32 digits without dashes; slices have no dashes within.
    r"(?:[a-z-]+-)?pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?",
    re.ASCII,
)
_MONITOR = "conmon"
"""Podman's and CRI-O's: it stands beside the container, in a scope with the container's number."""
_USER_MANAGER = "user@"
"""systemd's, for one user: what runs below it has a unit of its own or none."""


@dataclass(frozen=True, slots=True)
class Cgroup:
    """`unit` is a systemd service, inside of the container where there is one; "" for what is not
    known or not so."""

    path: str = ""
    unit: str = ""
    container_id: str = ""
    runtime: str = ""
    pod_uid: str = ""


def parse_cgroup(text: bytes) -> Cgroup:
    """The first of its paths with a container, else the first that says anything. The kernel takes
    no newline in a path."""
    found = [_parse_path(path) for path in _paths(text)]
    contained = next((each for each in found if each.container_id), None)
    named = next((each for each in found if each.unit or each.pod_uid), None)
    return contained or named or (found[0] if found else Cgroup())


def _paths(text: bytes) -> Iterator[str]:
    """Of the unified hierarchy, of systemd's own, and of the others (version 1), in this order."""
    lines = [line.split(b":", 2) for line in text.split(b"\n")[:-1]]
    whole = [line for line in lines if len(line) == 3 and line[2].startswith(b"/")]
    for _, _, path in sorted(whole, key=_rank):
        yield printable(path.removesuffix(_DELETED), MAX_PATH)


def _rank(line: Sequence[bytes]) -> int:
    hierarchy, controllers, path = line
    if path == b"/":
        return 3
    return 0 if hierarchy == b"0" else 1 if controllers == b"name=systemd" else 2


def _parse_path(path: str) -> Cgroup:
    parts = re.split("[/:]", path)
    place, container_id, runtime = _container(parts)
    pods = [match[1] for part in parts if (match := _POD.fullmatch(part))]
    inside = "/".join(parts[place + 1 :]) if container_id else path
    pod_uid = pods[-1].replace("_", "-") if pods else ""
    return Cgroup(path, _unit(inside), container_id, runtime, pod_uid)


def _container(parts: Sequence[str]) -> tuple[int, str, str]:
    """Place, number and runtime of the innermost container."""
    for place in range(len(parts) - 1, 0, -1):
        match = _CONTAINER.fullmatch(parts[place])
        if match and not (match[1] or "").endswith(_MONITOR):
            return place, match[2], RUNTIMES.get(match[1] or parts[place - 1], "")
    return 0, "", ""


def _unit(path: str) -> str:
    units = [part for part in path.split("/") if part.endswith(".service")]
    return units[-1] if units and not units[-1].startswith(_USER_MANAGER) else ""
