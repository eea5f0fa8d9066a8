"""The CPUs of this machine, as /sys/devices/system/cpu lists them.

>>> parse("0-2,5\\n")
[0, 1, 2, 5]
"""

from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")


def online() -> list[int]:
    """Those that run code now; CPUs can come and go."""
    return parse((_CPUS / "online").read_text())


def possible() -> int:
    """How many there can ever be: the number of values a per-CPU map holds under one key."""
    return len(parse((_CPUS / "possible").read_text()))


def parse(text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers
