"""perf's notation of events, as `perf record -e` takes it, with what is ours beside it:

    cpu                                   time on CPUs, by whatever drives it best here
    cpu-clock,page-faults                 several, and --event may stand there again
    page-faults:u/period=1/               terms and modifiers, in either order
    sched:sched_switch                    a tracepoint
    r01a8                                 a counter of the CPU by its number
    cpu/event=0xc0,umask=0x1/u            one of a unit of the machine (PMU) by that unit's terms
    uprobe:/lib/libc.so.6:malloc+0x4      an instruction of a program or a library
    off-cpu/min=1ms,sample=10/            time off CPUs; wall is both

https://man7.org/linux/man-pages/man1/perf-record.1.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from collector.events.event import AnyClock, Event, OffCpu, Pmu, Source, Tracepoint, Uprobe, Wall
from collector.events.names import CLOCKS, COUNTERS, RAW, SOFTWARE
from collector.kernel.perf_event import EXCLUDE_KERNEL, EXCLUDE_USER, Counter
from profiler.errors import UsageError
from profiler.model import CPU, OFF_CPU, WALL, ProfileType
from profiler.timerange import parse_duration

MAX_HZ = 100_000
"""The kernel's timer event fires at most every 10 us."""

MAX_SLEEPS = 1_000_000

COUNT = "count"

_EVENT = re.compile(
    r"(?P<name>uprobe:(?P<path>/[^:,]+):(?P<symbol>[^/,:+]+)(?:\+(?P<offset>0x[0-9a-f]{1,16}|[0-9]{1,18}))?"
    r"|[^,/:]+(?::[^,/:]+)*)"
    r"(?:/(?P<terms>[^/]*)/(?P<modifier>[a-zA-Z]*))?"
    r"(?:,|$)"
)
_RAW = re.compile(r"r([0-9a-f]{1,16})", re.IGNORECASE)
_TRACEPOINT = re.compile(r"[A-Za-z0-9_-]+")
_TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SETTING = re.compile(r"0x[0-9a-f]{1,16}|[0-9]{1,19}|", re.IGNORECASE)

_CLOCK_NAMES = ("cpu", "auto")
_OTHERS = (*_CLOCK_NAMES, "off-cpu", "wall")
_MODIFIERS = {"u": EXCLUDE_KERNEL, "k": EXCLUDE_USER}
_PROBES = ("uprobe", "uretprobe", "kprobe", "kretprobe")
_RATES = ("freq", "period", "name")
_SLEEPS = ("min", "sample", "name")


def parse(text: str, *, frequency_hz: int, each: bool = False) -> tuple[Event, ...]:
    """The events of a list; those without a rate of their own come at `frequency_hz`, or, with
    `each` and if software counts them, each is a sample.

    Raises UsageError for what it does not know, and where two events would be one profile type.
    """
    return parse_all([text], frequency_hz=frequency_hz, each=each)


def parse_all(texts: Sequence[str], *, frequency_hz: int, each: bool = False) -> tuple[Event, ...]:
    """Those of several lists."""
    events = [event for text in texts for event in _parse(text, frequency_hz, each)]
    return _distinct(events)


def _distinct(events: Sequence[Event]) -> tuple[Event, ...]:
    types: dict[str, Event] = {}
    for event in events:
        other = types.setdefault(event.type.name, event)
        if other is not event:
            raise UsageError(
                f"events {other.name} and {event.name} are both of the profile type "
                f"{event.type.name}: give one of them another, {event.with_term('name=…')}"
            )
    return tuple(events)


def _parse(text: str, frequency_hz: int, each: bool) -> list[Event]:
    _check_frequency(frequency_hz)
    events, at = [], 0
    while at < len(text):
        match = _EVENT.match(text, at)
        if match is None:
            raise UsageError(
                f"event {text[at:][:80]!r}: expected NAME, NAME:MODIFIER or NAME/TERM=VALUE,…/"
            )
        events.append(_event(match, frequency_hz, each))
        at = match.end()
    if not events:
        raise UsageError("no event: expected cpu, off-cpu, page-faults, …")
    return events


def _event(match: re.Match[str], frequency_hz: int, each: bool) -> Event:
    name, modifier = match["name"], match["modifier"] or ""
    terms = _terms(name, match["terms"] or "")
    if each and _is_software(name) and "freq" not in terms:
        terms.setdefault("period", "1")
    if match["path"]:
        offset = match["offset"] or "0"
        probe = Uprobe(match["path"], match["symbol"], int(offset, 16 if "x" in offset else 10))
        return _traced(name, probe, _probe_type(probe), terms, modifier)
    if _is_of_unit(name, terms):
        return _of_unit(name, terms, modifier, frequency_hz)
    first, _, rest = name.partition(":")
    source = _known(first, terms)
    if source is None:
        if first in _PROBES or not all(map(_TRACEPOINT.fullmatch, (first, rest))):
            raise _unknown(name)
        type_ = ProfileType(_as_type(f"{first}_{rest}"), COUNT)
        return _traced(name, Tracepoint(first, rest), type_, terms, modifier)
    if isinstance(source, OffCpu | Wall):
        if rest or modifier:
            raise UsageError(f"event {first} takes no modifier, got :{rest or modifier}")
        _check_terms(first, terms, _SLEEPS)
        type_ = OFF_CPU if isinstance(source, OffCpu) else WALL
        return _named(Event(first, type_, source, frequency_hz), terms)
    _check_terms(first, terms, _RATES)
    return _sampled(first, source, terms, rest + modifier, frequency_hz)


def _is_of_unit(name: str, terms: Mapping[str, str]) -> bool:
    """perf's `cpu` is a unit where it has terms of its own."""
    ours = name in (*_OTHERS[1:], *COUNTERS) or _RAW.fullmatch(name)
    return not ours and bool(terms.keys() - set(_RATES)) and _UNIT.fullmatch(name) is not None


def _of_unit(name: str, terms: Mapping[str, str], modifier: str, frequency_hz: int) -> Event:
    settings = {term: text for term, text in terms.items() if term not in _RATES}
    said = ",".join(f"{term}={text}" if text else term for term, text in settings.items())
    rates = {term: text for term, text in terms.items() if term in _RATES}
    for term, text in settings.items():
        if not (_UNIT.fullmatch(term) and _SETTING.fullmatch(text)):
            raise UsageError(f"event {name}/{said}/: expected {term}=NUMBER, got {text!r:.80}")
    source = Pmu(name, tuple((term, _setting(text)) for term, text in settings.items()))
    return _sampled(f"{name}/{said}/", source, rates, modifier, frequency_hz)


def _setting(text: str) -> int | None:
    return int(text, 16 if "x" in text.lower() else 10) if text else None


def _is_software(name: str) -> bool:
    counter = COUNTERS.get(name.partition(":")[0])
    return counter is not None and counter.type == SOFTWARE and counter.name not in CLOCKS


def _known(name: str, terms: Mapping[str, str]) -> AnyClock | Counter | OffCpu | Wall | None:
    if name in _CLOCK_NAMES:
        return AnyClock()
    if name == "off-cpu":
        return _off_cpu(terms)
    if name == "wall":
        return Wall(_off_cpu(terms))
    if raw := _RAW.fullmatch(name):
        return Counter(name.lower(), RAW, int(raw[1], 16))
    return COUNTERS.get(name)


def _off_cpu(terms: Mapping[str, str]) -> OffCpu:
    minimum_ns = parse_duration(terms["min"]) if "min" in terms else 0
    sleeps = _number("sample", terms["sample"]) if "sample" in terms else 1
    if sleeps > MAX_SLEEPS:
        raise UsageError(f"sample={sleeps}: at most {MAX_SLEEPS}")
    return OffCpu(minimum_ns, sleeps)


def _sampled(
    name: str,
    source: AnyClock | Counter | Pmu,
    terms: Mapping[str, str],
    modifier: str,
    usual_hz: int,
) -> Event:
    if "freq" in terms and "period" in terms:
        raise UsageError(f"event {name}: freq or period, not both")
    if isinstance(source, AnyClock):
        if modifier:
            raise UsageError(f"event {name} takes no modifier: choose cpu-clock:{modifier}")
        if "period" in terms:
            raise UsageError(f"event {name} takes freq alone: choose cpu-clock/period=NANOSECONDS/")
        type_ = CPU
    else:
        source = replace(source, flags=_flags(name, modifier))
        counted = name if isinstance(source, Pmu) else source.name
        type_ = CPU if counted in CLOCKS else ProfileType(_as_type(counted), COUNT)
    if "period" in terms:
        event = Event(name, type_, source, 0, _number("period", terms["period"]))
    else:
        hz = _number("freq", terms["freq"]) if "freq" in terms else usual_hz
        _check_frequency(hz)
        event = Event(name, type_, source, hz)
    return _named(event, terms)


def _traced(
    name: str, source: Source, type_: ProfileType, terms: Mapping[str, str], modifier: str
) -> Event:
    if modifier:
        raise UsageError(f"event {name} takes no modifier, got :{modifier}")
    if "freq" in terms:
        raise UsageError(f"event {name} comes by period, not by frequency: {name}/period=100/")
    _check_terms(name, terms, _RATES)
    period = _number("period", terms["period"]) if "period" in terms else 1
    return _named(Event(name, type_, source, 0, period), terms)


def _probe_type(probe: Uprobe) -> ProfileType:
    """As `perf probe -x FILE SYMBOL` names it: probe_libc:malloc."""
    library = re.split(r"[^A-Za-z0-9_]", probe.path.rpartition("/")[2], maxsplit=1)[0]
    offset = f"_{probe.offset:x}" if probe.offset else ""
    return ProfileType(_as_type(f"probe_{library}_{probe.symbol}{offset}"), COUNT)


def _as_type(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name.strip("/"))[:128]


def _named(event: Event, terms: Mapping[str, str]) -> Event:
    name = terms.get("name")
    if name is None:
        return event
    if not _TYPE.fullmatch(name):
        raise UsageError(f"name={name!r}: expected letters, digits and underscores")
    return replace(event, type=ProfileType(name, event.type.unit))


def _terms(name: str, text: str) -> dict[str, str]:
    terms = {}
    for each in filter(None, text.split(",")):
        term, _, value = each.partition("=")
        if not term or term in terms:
            raise UsageError(f"event {name}: expected TERM=VALUE, each once, got {each!r}")
        terms[term] = value
    return terms


def _check_terms(name: str, terms: Mapping[str, str], known: Sequence[str]) -> None:
    for term in terms.keys() - set(known):
        raise UsageError(f"event {name} has no term {term}: there are {', '.join(known)}")


def _flags(name: str, modifier: str) -> int:
    if not modifier or set(modifier) == set(_MODIFIERS):
        return 0
    if modifier not in _MODIFIERS:
        raise UsageError(
            f"event {name}: no modifier {modifier!r}; u is user mode alone, k kernel mode alone"
        )
    return _MODIFIERS[modifier]


def _number(term: str, text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) < 1:
        raise UsageError(f"{term}={text!r}: expected a number from 1 on")
    return int(text)


def _check_frequency(frequency_hz: int) -> None:
    if not 1 <= frequency_hz <= MAX_HZ:
        raise UsageError(f"frequency must be from 1 to {MAX_HZ} Hz, got {frequency_hz}")


def _unknown(name: str) -> UsageError:
    first = name.partition(":")[0]
    if first in _PROBES[1:]:
        return UsageError(
            f"event {name}: kernel functions and returns are not probed; tracepoints"
            " and uprobe:/FILE:SYMBOL are"
        )
    if first in _PROBES:
        return UsageError(
            f"event {name}: expected uprobe:/FILE:SYMBOL or uprobe:/FILE:SYMBOL+OFFSET"
        )
    near = get_close_matches(name, [*_OTHERS, *COUNTERS], 2)
    hint = f"; did you mean {' or '.join(near)}" if near else ""
    return UsageError(
        f"no event {name!r:.80}{hint}; there are {', '.join(_OTHERS)}, perf's names of counters"
        " (page-faults, cycles, r01a8), tracepoints as SYSTEM:NAME, and uprobe:/FILE:SYMBOL"
    )
