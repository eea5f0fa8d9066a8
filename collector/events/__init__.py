"""What samples are taken of, as perf spells it: `parse` reads the notation.

>>> [event.type.name for event in parse("cpu,page-faults/period=1/", frequency_hz=99)]
['cpu', 'page_faults']
"""

from collector.events.event import AnyClock, Event, OffCpu, Pmu, Source, Tracepoint, Uprobe, Wall
from collector.events.notation import parse, parse_all

__all__ = [
    "AnyClock",
    "Event",
    "OffCpu",
    "Pmu",
    "Source",
    "Tracepoint",
    "Uprobe",
    "Wall",
    "parse",
    "parse_all",
]
