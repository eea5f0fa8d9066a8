"""Where drains come from: the running kernel, or a recording of an earlier run."""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from profiler.model import Drain


class SampleSource(Protocol):
    """A context manager that samples from entry to exit.

    `drain` returns everything taken since entry or the drain before it, one Drain a profile type;
    the sampling goes on meanwhile. After the last drain of a finite source, `finished` is True.
    """

    @property
    def finished(self) -> bool: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def drain(self) -> Sequence[Drain]: ...
