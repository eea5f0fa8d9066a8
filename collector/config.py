"""What one collector is told; the flags of `profiler collect` explain each."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from collector.events import Event, parse_all
from collector.labels.kubelet import Access
from collector.labels.labeller import Labelling
from collector.labels.rules import Rule, Rules
from collector.on_demand.limits import Limits
from collector.restraint import Ceilings
from collector.symbols.debuginfod import Settings
from profiler.errors import UsageError

SERVER = "127.0.0.1:8441"

_SIZE = re.compile(r"(\d{1,12}) ?([KMGT]?)(?:i?B)?", re.ASCII | re.IGNORECASE)
_POWERS = ("", "K", "M", "G", "T")


@dataclass(frozen=True, slots=True)
class Config:
    """`recorded` is "" for live samples, `to` is "" where they go to `server`; no metrics: ""."""

    server: str
    frequency: int
    event: tuple[str, ...]
    interval_ns: int
    loader: str
    call_graph: str
    py_spy: bool
    debuginfod: Settings | None
    spool: Path
    spool_bytes: int
    pins: Path
    metrics: str
    recorded: str
    repeat: bool
    to: str
    host_name: str
    rule: tuple[Rule, ...]
    max_series: int
    engine_socket: tuple[Path, ...]
    pods: str
    pods_token: Path
    pods_ca: Path
    max_cpu: float
    max_memory: int
    on_demand: bool
    on_demand_frequency: int
    on_demand_duration_ns: int
    on_demand_sessions: int

    @property
    def ceilings(self) -> Ceilings:
        return Ceilings(self.max_cpu / 100, self.max_memory)

    @property
    def events(self) -> tuple[Event, ...]:
        """Raises UsageError."""
        return parse_all(self.event, frequency_hz=self.frequency)

    @property
    def labelling(self) -> Labelling:
        sockets = tuple(path for path in self.engine_socket if path.name)
        access = Access(*(path if path.name else None for path in (self.pods_token, self.pods_ca)))
        rules = Rules(self.rule)
        return Labelling(self.host_name, rules, self.max_series, sockets, self.pods, access)

    @property
    def on_demand_limits(self) -> Limits:
        off = "" if self.on_demand else "sessions are switched off on this node (--no-on-demand)"
        if self.recorded:
            off = "this node sends a recording"
        return Limits(
            self.on_demand_frequency, self.on_demand_duration_ns, self.on_demand_sessions, off
        )


def default_spool() -> Path:
    """Where a service keeps its state, or a user theirs (XDG Base Directory Specification)."""
    if os.geteuid() == 0:
        return Path("/var/lib/profiler/spool")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "profiler" / "spool"


def cache_folder(name: str) -> Path:
    """Where what can be made or fetched again is kept between runs: `unwind` tables, files of
    `debuginfod`."""
    if os.geteuid() == 0:
        return Path("/var/cache/profiler") / name
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "profiler" / name


def default_max_cpu() -> float:
    """In percent of one CPU: what a sample costs is paid for by each CPU that is sampled."""
    return max(20.0, float(os.cpu_count() or 1))


def parse_size(text: str) -> int:
    """Bytes in `256MiB`, `1G` or a bare number, in powers of 1,024; raises UsageError."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise UsageError(f"not a size: {text[:40]!r}; write 256MiB, 1G or a number of bytes")
    return int(match[1]) << 10 * _POWERS.index(match[2].upper())
