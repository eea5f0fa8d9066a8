"""Rust's names: the legacy mangling and v0 (RFC 2603, doc.rust-lang.org/rustc/symbol-mangling).

    _RNvCs1234_7mycrate3foo                      mycrate::foo
    _ZN7mycrate3foo17h0123456789abcdefE          mycrate::foo

Why our own: a symbol table is written by whoever built the program, and v0 has back references,
so that a name of 100 bytes can stand for one of 2^30. This reader counts its steps and the text
that it writes, and gives up beyond a bound.
"""

import re
from collections.abc import Callable

MAX_STEPS = 4096
"""Nodes of one name. The largest of 19,883 names of librustc_driver takes 369."""
MAX_TEXT = 8192
MAX_DEPTH = 200

_BASIC_TYPES = {
    **{"a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8"},
    **{"i": "isize", "j": "usize", "l": "i32", "m": "u32", "n": "i128", "o": "u128", "p": "_"},
    **{"s": "i16", "t": "u16", "u": "()", "v": "...", "x": "i64", "y": "u64", "z": "!"},
}
_DIGITS_62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,4}")
_BASE_62 = re.compile(r"([0-9a-zA-Z]{0,11})_")
_HEX = re.compile(r"([0-9a-f]{0,32})_")
_COPY = re.compile(r"(\.llvm)?\.[0-9A-F@]+|\$.*", re.DOTALL)
_LEGACY = re.compile(r"_ZN(.+)17h[0-9a-f]{16}E(\..*)?", re.DOTALL)
_LEGACY_ESCAPE = re.compile(r"\$(SP|BP|RF|LT|GT|LP|RP|C|u[0-9a-f]{1,5})\$|\.\.")
_LEGACY_TEXT = dict(SP="@", BP="*", RF="&", LT="<", GT=">", LP="(", RP=")", C=",")


class NotRust(ValueError):
    """A name that is not one of Rust's, or that is beyond the bounds."""


def demangle(name: str) -> str:
    """The name as Rust writes it, without hashes. Raises NotRust."""
    if name.startswith("_R"):
        return _V0(name[2:]).read()
    legacy = _LEGACY.fullmatch(name)
    if legacy is None:
        raise NotRust(name)
    return _legacy(legacy[1]) + _suffix(legacy[2] or "")


def _suffix(text: str) -> str:
    """What follows a name: `.cold` is worth showing, the number of a copy is not."""
    return "" if _COPY.fullmatch(text) else text


def _legacy(path: str) -> str:
    """`3foo3bar` as `foo::bar`, with its escapes undone."""
    parts: list[str] = []
    while path:
        length = _DECIMAL.match(path)
        if length is None:
            raise NotRust(path)
        end = length.end() + int(length[0])
        if end > len(path):
            raise NotRust(path)
        part = path[length.end() : end]
        if part.startswith("_$"):  # an identifier cannot begin with an escape
            part = part[1:]
        parts.append(_LEGACY_ESCAPE.sub(_unescaped, part))
        path = path[end:]
    return "::".join(parts)


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1]
    if code is None:
        return "::"
    return _LEGACY_TEXT[code] if code in _LEGACY_TEXT else chr(int(code[1:], 16))


def _lifetime_name(depth: int) -> str:
    return f"'{chr(ord('a') + depth)}" if depth < 26 else f"'_{depth}"


class _V0:
    """Reads one name from left to right and writes as it goes; a method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._out: list[str] = []
        self._length = 0
        self._silent = 0
        self._steps = 0
        self._depth = 0
        self._lifetimes = 0

    def read(self) -> str:
        self._path(in_value=True)
        if self._peek() in tuple("CMNXYIB"):  # the crate that made it of a generic
            self._silently(self._path)
        rest = self._text[self._at :]
        if rest and rest[0] not in ".$":
            raise NotRust(self._text)
        return "".join(self._out) + _suffix(rest)

    # --- characters -------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        if self._silent:
            return
        self._out.append(text)
        self._length += len(text)
        if self._length > MAX_TEXT:
            raise NotRust("too long")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        """The next character; every rule of the grammar begins with one, so it counts steps."""
        character = self._peek()
        self._at += 1
        self._steps += 1
        if not character or self._steps > MAX_STEPS:
            raise NotRust(self._text)
        return character

    def _eat(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._at += 1
        return True

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise NotRust(self._text)
        self._at = found.end()
        return found

    def _base_62(self) -> int:
        """`_` is 0, `0_` is 1, and so on."""
        digits = self._match(_BASE_62)[1]
        number = 0
        for digit in digits:
            number = number * 62 + _DIGITS_62.index(digit)
        return number + 1 if digits else 0

    def _optional_62(self, tag: str) -> int:
        return self._base_62() + 1 if self._eat(tag) else 0

    def _name(self) -> str:
        encoded = self._eat("u")
        length = int(self._match(_DECIMAL)[0])
        self._eat("_")
        name = self._text[self._at : self._at + length]
        self._at += length
        if self._at > len(self._text):
            raise NotRust(self._text)
        if not encoded:
            return name
        try:
            return "-".join(name.rsplit("_", 1)).encode("ascii").decode("punycode")
        except UnicodeError:
            raise NotRust(name) from None

    # --- structure --------------------------------------------------------------------------

    def _silently(self, rule: Callable[[], None]) -> None:
        self._silent += 1
        rule()
        self._silent -= 1

    def _nested(self, rule: Callable[[], None]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotRust("too deep")
        rule()
        self._depth -= 1

    def _back(self, rule: Callable[[], None]) -> None:
        """Reads `rule` where the back reference points, which is always further left."""
        start = self._at - 1
        target = self._base_62()
        if target >= start:
            raise NotRust(self._text)
        if self._silent:
            return
        self._at, resume = target, self._at
        self._nested(rule)
        self._at = resume

    def _list(self, rule: Callable[[], None], separator: str = ", ") -> int:
        """Items up to `E`; how many."""
        count = 0
        while not self._eat("E"):
            if count:
                self._write(separator)
            self._nested(rule)
            count += 1
        return count

    def _path(self, in_value: bool = False) -> None:
        tag = self._next()
        if tag == "C":
            self._optional_62("s")
            self._write(self._name())
        elif tag == "N":
            self._nested_name(in_value)
        elif tag in "MXY":
            self._implementation(tag)
        elif tag == "I":
            self._nested(lambda: self._path(in_value))
            self._write("::<" if in_value else "<")
            self._list(self._generic)
            self._write(">")
        elif tag == "B":
            self._back(lambda: self._path(in_value))
        else:
            raise NotRust(self._text)

    def _nested_name(self, in_value: bool) -> None:
        namespace = self._next()
        self._nested(lambda: self._path(in_value))
        number = self._optional_62("s")
        name = self._name()
        if namespace.isupper():
            kind = {"C": "closure", "S": "shim"}.get(namespace, namespace)
            self._write(f"::{{{kind}{':' if name else ''}{name}#{number}}}")
        elif name:
            self._write(f"::{name}")

    def _implementation(self, tag: str) -> None:
        """`<Type>`, `<Type as Trait>`; where the impl stands is read and not shown."""
        if tag != "Y":
            self._optional_62("s")
            self._silently(lambda: self._nested(self._path))
        self._write("<")
        self._nested(self._type)
        if tag != "M":
            self._write(" as ")
            self._nested(self._path)
        self._write(">")

    def _generic(self) -> None:
        if self._eat("L"):
            self._lifetime(self._base_62())
        elif self._eat("K"):
            self._constant()
        else:
            self._type()

    def _lifetime(self, index: int) -> None:
        depth = self._lifetimes - index
        if index == 0:
            self._write("'_")
        elif depth < 0:
            raise NotRust(self._text)
        else:
            self._write(_lifetime_name(depth))

    def _type(self) -> None:
        tag = self._next()
        if tag in _BASIC_TYPES:
            self._write(_BASIC_TYPES[tag])
        elif tag in "RQPO":
            self._pointer(tag)
        elif tag in "AS":
            self._write("[")
            self._nested(self._type)
            if tag == "A":
                self._write("; ")
                self._constant()
            self._write("]")
        elif tag == "T":
            self._write("(")
            self._write(",)" if self._list(self._type) == 1 else ")")
        elif tag == "F":
            self._bound(self._function)
        elif tag == "D":
            self._dynamic()
        elif tag == "B":
            self._back(self._type)
        else:
            self._at -= 1
            self._path()

    def _pointer(self, tag: str) -> None:
        self._write("&" if tag in "RQ" else "*")
        if tag in "RQ" and self._eat("L") and (index := self._base_62()):
            self._lifetime(index)
            self._write(" ")
        self._write({"R": "", "P": "const "}.get(tag, "mut "))
        self._nested(self._type)

    def _bound(self, rule: Callable[[], None]) -> None:
        """`for<'a, 'b> ` where the rule binds lifetimes."""
        count = self._optional_62("G")
        if count > MAX_DEPTH:
            raise NotRust(self._text)
        if count:
            names = [_lifetime_name(self._lifetimes + number) for number in range(count)]
            self._write(f"for<{', '.join(names)}> ")
        self._lifetimes += count
        rule()
        self._lifetimes -= count

    def _function(self) -> None:
        if self._eat("U"):
            self._write("unsafe ")
        if self._eat("K"):
            abi = "C" if self._eat("C") else self._name().replace("_", "-")
            self._write(f'extern "{abi}" ')
        self._write("fn(")
        self._list(self._type)
        self._write(")")
        if not self._eat("u"):
            self._write(" -> ")
            self._nested(self._type)

    def _dynamic(self) -> None:
        self._write("dyn ")
        self._bound(self._traits)
        if not self._eat("L"):
            raise NotRust(self._text)
        if index := self._base_62():
            self._write(" + ")
            self._lifetime(index)

    def _traits(self) -> None:
        self._list(self._trait, " + ")

    def _trait(self) -> None:
        """A trait whose generic arguments stay open, for the associated types that follow."""
        opened = self._open_path()
        while self._eat("p"):
            self._write(", " if opened else "<")
            opened = True
            self._write(f"{self._name()} = ")
            self._nested(self._type)
        if opened:
            self._write(">")

    def _open_path(self) -> bool:
        """A path without its closing `>`; whether there is one to close."""
        opened = False

        def referred() -> None:
            nonlocal opened
            opened = self._open_path()

        if self._eat("B"):
            self._back(referred)
        elif self._eat("I"):
            self._nested(self._path)
            self._write("<")
            self._list(self._generic)
            opened = True
        else:
            self._path()
        return opened

    def _constant(self) -> None:
        tag = self._next()
        if tag == "B":
            self._back(self._constant)
        elif tag == "p":
            self._write("_")
        elif tag in "htmyojaslxni":
            sign = "-" if self._eat("n") else ""
            self._write(sign + str(int(self._match(_HEX)[1] or "0", 16)))
        elif tag == "b":
            self._write("true" if self._match(_HEX)[1] == "1" else "false")
        elif tag == "c":
            self._write(repr(chr(int(self._match(_HEX)[1] or "0", 16))))
        else:
            raise NotRust(self._text)
