"""A recording of an earlier run, in the place of the kernel; its profiles say that they are one.

Everything behind the source works as with live samples, and needs no privileges.
"""

from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from profiler import wire
from profiler.clock import Clock
from profiler.errors import FormatError, UsageError
from profiler.model import Drain, Labels, Profile

DEMO = Path(__file__).parent.parent / "recordings" / "demo.pb"
"""A recording that is always there; collector/recordings/README.md tells of what."""

LABEL = ("profiler_recorded", "true")


class RecordedSource:
    """A SampleSource of the drains in the recording at `path`: a call takes those that follow each
    other up to a profile type that has been.

    Without `repeat` their windows are moved so that the recording ends at the time of entry, and
    after the last drain the source has finished. With `repeat` it begins again, and each window
    is moved to end at the call.

    Entering raises UsageError where the file cannot be read, and like `drain` FormatError where
    it is no recording.
    """

    def __init__(self, path: Path, clock: Clock, *, repeat: bool = False) -> None:
        self._path = path
        self._clock = clock
        self._repeat = repeat
        self._next: list[Drain] = []
        self._shift_ns = 0

    @property
    def finished(self) -> bool:
        return not self._next

    def __enter__(self) -> Self:
        end_ns = max((_end_ns(drain) for drain in self._read()), default=0)
        self._shift_ns = self._clock.now_ns() - end_ns
        self._drains = _ticks(self._read())
        self._next = next(self._drains, [])
        if not self._next:
            raise FormatError(f"{self._path}: the recording has no drains")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drains.close()

    def drain(self) -> list[Drain]:
        drains = self._next
        if not drains:
            raise ValueError("drain() of a source that has finished")
        self._next = next(self._drains, [])
        if self._repeat and not self._next:
            self._drains = _ticks(self._read())
            self._next = next(self._drains, [])
        end_ns = max(map(_end_ns, drains))
        shift_ns = self._clock.now_ns() - end_ns if self._repeat else self._shift_ns
        return [_marked(drain, max(drain.start_ns + shift_ns, 0)) for drain in drains]

    def _read(self) -> Generator[Drain, None, None]:
        try:
            with self._path.open("rb") as file:
                yield from map(wire.decode, wire.read_batches(file))
        except OSError as error:
            raise UsageError(f"{self._path}: {error.strerror}") from None
        except FormatError as error:
            raise FormatError(f"{self._path}: {error}") from None


def _ticks(drains: Iterable[Drain]) -> Generator[list[Drain], None, None]:
    """Those that were taken together."""
    together: dict[str, Drain] = {}
    for drain in drains:
        if drain.type.name in together:
            yield list(together.values())
            together = {}
        together[drain.type.name] = drain
    if together:
        yield list(together.values())


def _end_ns(drain: Drain) -> int:
    return drain.start_ns + drain.duration_ns


def _marked(drain: Drain, start_ns: int) -> Drain:
    """`drain` as a recorded one that began at `start_ns`."""
    profiles = tuple(
        replace(profile, start_ns=start_ns, labels=_labels(profile)) for profile in drain.profiles
    )
    return replace(drain, start_ns=start_ns, profiles=profiles)


def _labels(profile: Profile) -> Labels:
    return tuple(sorted({**dict(profile.labels), LABEL[0]: LABEL[1]}.items()))
