"""What a server is told: by flags, or by the environment (`PROFILER_HTTP` for `--http`)."""

from dataclasses import dataclass

from profiler.errors import UsageError

HTTP = "127.0.0.1:8440"
GRPC = "127.0.0.1:8441"
DATABASE = "sqlite:///profiler.db"
TENANT = "default"


@dataclass(frozen=True, slots=True)
class Config:
    """Addresses are HOST:PORT, port 0 any that is free; `migrate` whether to do so at start,
    `maintain` whether to compact and sum up in the background."""

    http: str = HTTP
    grpc: str = GRPC
    database: str = DATABASE
    migrate: bool = True
    maintain: bool = True
    tenant: str = TENANT


def host_and_port(flag: str, address: str) -> tuple[str, int]:
    """Raises UsageError naming the flag; an IPv6 host keeps its brackets."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{flag} {address!r}: expected HOST:PORT, such as 127.0.0.1:8440")
    return host, int(port)
