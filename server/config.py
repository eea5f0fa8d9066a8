"""What a server is told: by flags, or by the environment (`PROFILER_HTTP` for `--http`)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from profiler.errors import UsageError
from profiler.timerange import parse_duration
from server.alerts.rules import Alerts
from server.store.hours import HOUR_NS
from server.store.retention import Ages, Policy
from server.store.symbols import CACHED_NODES

HTTP = "127.0.0.1:8440"
GRPC = "127.0.0.1:8441"
DATABASE = "sqlite:///profiler.db"
TENANT = "default"
KEEP = Policy()
NO_ALERTS = Alerts()


@dataclass(frozen=True, slots=True)
class Config:
    """Addresses are HOST:PORT, port 0 any that is free; `migrate` whether to do so at start,
    `maintain` whether to compact and sum up in the background; so many nodes of symbols are
    remembered for writing, and as many for reading."""

    http: str = HTTP
    grpc: str = GRPC
    database: str = DATABASE
    migrate: bool = True
    maintain: bool = True
    tenant: str = TENANT
    policy: Policy = KEEP
    cached_nodes: int = CACHED_NODES
    alerts: Alerts = NO_ALERTS


def host_and_port(flag: str, address: str) -> tuple[str, int]:
    """Raises UsageError naming the flag; an IPv6 host keeps its brackets."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{flag} {address!r}: expected HOST:PORT, such as 127.0.0.1:8440")
    return host, int(port)


_KEEP = re.compile(r"(?:(?P<type>[a-z_]+):)?(?P<level>raw|minute|hour)=(?P<age>\S+)")
_SIZE = re.compile(r"(\d{1,12}) ?([KMGT]?)i?B?", re.IGNORECASE)


def policy(keep: Iterable[str], keep_size: str | None) -> Policy:
    """What `--keep` and `--keep-size` say; raises UsageError."""
    ages, types = Ages(), dict[str, Ages]()
    for text in sorted(keep, key=lambda text: ":" in text):  # types begin with the ages of all
        match = _KEEP.fullmatch(text)
        if not match:
            raise UsageError(
                f"--keep {text!r}: expected LEVEL=TIME or TYPE:LEVEL=TIME, such as raw=14d or "
                "off_cpu:raw=1d; the levels are raw, minute and hour"
            )
        change = {match["level"]: _hours(text, match["age"])}
        if match["type"]:
            types[match["type"]] = replace(types.get(match["type"], ages), **change)
        else:
            ages = replace(ages, **change)
    return Policy(ages, types, None if keep_size is None else _bytes(keep_size))


def _hours(keep: str, age: str) -> int | None:
    if age == "forever":
        return None
    try:
        hours = parse_duration(age) // HOUR_NS
    except UsageError as error:
        raise UsageError(f"--keep {keep!r}: {error}, or forever") from None
    if hours < 1:
        raise UsageError(f"--keep {keep!r}: an hour is the least")
    return hours


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"--keep-size {text!r}: expected a number of bytes, such as 50GB or 500M")
    return int(match[1]) << 10 * " KMGT".index(match[2].upper() or " ")
