"""The units of the machine that count events (PMUs), and how each of them wants to be asked.

A unit is a folder: `type` is its number, `format` says which bits of the configuration a term sets,
`events` has terms under a name, and `cpus` stands there where only some CPUs are of that kind.
Documentation/ABI/testing/sysfs-bus-event_source-devices-* of Linux.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from collector.events.event import Pmu
from collector.kernel import cpus
from collector.kernel.perf_event import Counter
from profiler.errors import UnavailableError, UsageError

DEVICES = Path("/sys/bus/event_source/devices")

_CONFIGS = ("config", "config1", "config2")
"""What every unit takes whole."""

_USUAL = (*_CONFIGS, "freq", "period", "name")

_MOST_BYTES = 4096  # of a file of sysfs


def counter(place: Pmu, name: str, devices: Path = DEVICES) -> Counter:
    """What the event called `name` is to the kernel. Raises UsageError for a unit or a term that is
    not there, naming those that are."""
    folder = devices / place.unit
    if not (folder / "type").exists():
        raise UsageError(f"event {name}: no unit {place.unit} counts here; {_listed(devices)}")
    configs = dict.fromkeys(_CONFIGS, 0)
    try:
        for term, number in chain.from_iterable(_spelt(folder, term) for term in place.terms):
            _set(configs, folder, term, 1 if number is None else number, name)
        kind, having = int(_read(folder / "type")), _cpus(folder / "cpus")
    except (KeyError, ValueError) as error:
        raise UnavailableError(
            f"event {name}: {folder} asks for what is not known: {error}"
        ) from None
    return Counter(name, kind, flags=place.flags, cpus=having, **configs)


def _spelt(folder: Path, term: tuple[str, int | None]) -> Iterator[tuple[str, int | None]]:
    """The terms that an event's name stands for; another term is itself."""
    name, number = term
    if number is not None or not (folder / "events" / name).exists():
        yield term
        return
    for each in _read(folder / "events" / name).split(","):
        key, equals, value = each.strip().partition("=")
        yield key, int(value, 0) if equals else None


def _set(configs: dict[str, int], folder: Path, term: str, number: int, name: str) -> None:
    config, bits = _bits(folder, term, name)
    if number >> len(bits):
        raise UsageError(f"event {name}: {term}={number:#x} has more than its {len(bits)} bits")
    for at, bit in enumerate(bits):
        configs[config] |= (number >> at & 1) << bit


def _bits(folder: Path, term: str, name: str) -> tuple[str, list[int]]:
    """The word of the configuration, and its bits from the lowest on, as in `config1:0-7,32-35`."""
    path = folder / "format" / term
    if path.exists():
        config, _, bits = _read(path).partition(":")
        return config, cpus.parse(bits)
    if term in _CONFIGS:
        return term, list(range(64))
    raise UsageError(
        f"event {name}: {folder.name} has no term {term}; {_listed(folder / 'format', *_USUAL)}"
        f"; of events, {_listed(folder / 'events')}"
    )


def _cpus(path: Path) -> frozenset[int] | None:
    return frozenset(cpus.parse(_read(path))) if path.exists() else None


def _read(path: Path) -> str:
    try:
        with path.open() as file:
            return file.read(_MOST_BYTES).strip()
    except OSError as error:
        raise UnavailableError(f"{path}: {error.strerror}") from None


def _listed(folder: Path, *others: str) -> str:
    """`branches.scale` and the like are not events."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return "there are " + (", ".join([*(n for n in names if "." not in n), *others]) or "none")
