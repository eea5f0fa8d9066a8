"""Time as the store keeps it: nanoseconds since 1970, in hours since 1970."""

from dataclasses import dataclass

HOUR_NS = 3600 * 1_000_000_000
DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class TimeRange:
    """[from_ns, to_ns) in Unix nanoseconds."""

    from_ns: int
    to_ns: int

    @property
    def hours(self) -> range:
        """Those that it touches."""
        return range(self.from_ns // HOUR_NS, -(-self.to_ns // HOUR_NS))


def hours_range(hours: range) -> TimeRange:
    """All of some hours."""
    return TimeRange(hours.start * HOUR_NS, hours.stop * HOUR_NS)
