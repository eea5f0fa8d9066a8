"""What an address is answered with: its frames, or why it has no name."""

from dataclasses import dataclass

from profiler.model import Frame, Kind


@dataclass(frozen=True, slots=True)
class Answer:
    """`frames` root first, the inlined ones after the frame that they were put into; `cause`
    names the counter of what stood in the way of a name, "" for a named one."""

    frames: tuple[Frame, ...]
    cause: str = ""

    @property
    def passing(self) -> bool:
        """Whether it may be another one in the next drain: more can be known by then of what has
        no name, and code that was written at run time can make room for other code."""
        return bool(self.cause) or self.frames[0].kind is Kind.JIT


def unnamed(
    cause: str,
    binary: str = "",
    place: int | None = None,
    *,
    build_id: str = "",
    address: int = 0,
    kind: Kind = Kind.NATIVE,
) -> Answer:
    """`[unknown] libfoo.so+0x1234`: as much of the place as is known."""
    words = ["[unknown]"]
    if binary:
        words.append(binary if place is None else f"{binary}+{place:#x}")
    frame = Frame(" ".join(words), binary=binary, build_id=build_id, address=address, kind=kind)
    return Answer((frame,), cause)
