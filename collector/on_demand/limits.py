"""What this node lets others ask of it. Whoever reaches the server can ask; the node decides."""

from dataclasses import dataclass

from profiler.timerange import SECOND

FREQUENCY_HZ = 999
"""Ten times the usual rate. A sample costs some 20 µs, so 2 % of a CPU that the processes use."""

DURATION_NS = 120 * SECOND

AT_ONCE = 2
"""Each has its own program and names: of a whole host, 60 to 90 MB."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`off` is why nobody may ask at all, "" where they may."""

    frequency_hz: int = FREQUENCY_HZ
    duration_ns: int = DURATION_NS
    at_once: int = AT_ONCE
    off: str = ""
