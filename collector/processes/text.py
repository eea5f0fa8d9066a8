r"""Names that other processes choose, made fit to show, to send and to store.

A process may be called anything that is not NUL: half a UTF-8 character, a terminal's escape
sequence, a newline. What comes out of here is valid, printable and bounded text:

    >>> printable(b"caf\xe9\n")
    'caf\\xe9\\n'
"""

MAX_NAME = 1024
"""Characters: longer than all but 1 in 100,000 demangled names of libclang, LLVM and node."""


def printable(name: bytes | str, limit: int = MAX_NAME) -> str:
    """`name` with what cannot be shown written as an escape, cut to `limit` characters."""
    if isinstance(name, bytes):
        name = name[: 4 * limit].decode("utf-8", "backslashreplace")
    if len(name) > limit:
        name = name[: limit - 1] + "…"
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else _escaped(c) for c in name)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
