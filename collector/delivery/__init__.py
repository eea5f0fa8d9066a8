"""From drains to their destination: numbering, spool, exporters."""

from typing import Protocol

from profiler.model import Drain


class Exporter(Protocol):
    """Takes drains for good: what `export` has taken is delivered, or counted as lost by cause."""

    def export(self, drain: Drain) -> None: ...

    def close(self) -> None:
        """Delivers what is left as far as it can, then releases what it holds."""
