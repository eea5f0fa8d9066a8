"""Text for people: names from strangers' processes made safe to print, numbers made short."""

UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"

_SCALES = ((3600 * 10**9, "h"), (60 * 10**9, "min"), (10**9, "s"), (10**6, "ms"), (10**3, "µs"))


def printable(text: str) -> str:
    """`text` without control characters: a function's name may hold a terminal's commands."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else UNPRINTABLE for character in text)


def amount(value: int, unit: str) -> str:
    """A value in the unit of its type: `12.5 s`, `3,401`, `512 bytes`."""
    if unit != "nanoseconds":
        return f"{value:,}" if unit == "count" else f"{value:,} {unit}"
    for scale, name in _SCALES:
        if value >= scale:
            return f"{value / scale:,.1f} {name}"
    return f"{value} ns"


def share(part: int, whole: int) -> str:
    """`12.5 %`; of nothing, nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "-"
