"""Loading the compiled object through libbpf: no compiler and no headers on the node.

The few functions needed are called through ctypes. libbpf's own object is closed as soon as the
descriptors are duplicated, so that nothing of it stays in memory.
"""

import contextlib
import ctypes
import errno
import os
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from collector.kernel import files
from collector.kernel.program import (
    DWARF,
    FRAME_POINTERS,
    UNWIND_LATER,
    UNWIND_MAPS,
    Kind,
    Loaded,
    Program,
    Sizes,
    duplicates,
    refused,
)
from profiler.errors import ProfilerError, UnavailableError

NAME = "libbpf"
OBJECTS = {
    FRAME_POINTERS: "build/profile.bpf.o",
    DWARF: "build/profile_dwarf.bpf.o",
}
OFF_CPU_OBJECTS = {
    FRAME_POINTERS: "build/off_cpu.bpf.o",
    DWARF: "build/off_cpu_dwarf.bpf.o",
}
_SONAMES = ("libbpf.so.1", "libbpf.so.0")

_POINTER, _TEXT, _INT, _U32 = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32
_PRINT = ctypes.CFUNCTYPE(_INT, _INT, _TEXT, _POINTER)
_WARN = 0  # enum libbpf_print_level

# Result, then arguments, as bpf/libbpf.h declares them.
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "bpf_object__open_file": (_POINTER, _TEXT, _POINTER),
    "bpf_object__load": (_INT, _POINTER),
    "bpf_object__close": (None, _POINTER),
    "bpf_object__find_program_by_name": (_POINTER, _POINTER, _TEXT),
    "bpf_object__find_map_by_name": (_POINTER, _POINTER, _TEXT),
    "bpf_program__fd": (_INT, _POINTER),
    "bpf_map__fd": (_INT, _POINTER),
    "bpf_map__set_max_entries": (_INT, _POINTER, _U32),
    "bpf_map__set_value_size": (_INT, _POINTER, _U32),
    "bpf_map__set_autocreate": (_INT, _POINTER, ctypes.c_bool),
    "bpf_map__set_initial_value": (_INT, _POINTER, _TEXT, ctypes.c_size_t),
    "bpf_map__reuse_fd": (_INT, _POINTER, _INT),
    "bpf_program__set_type": (None, _POINTER, _INT),
    "libbpf_set_print": (None, _PRINT),
}

# libbpf 0.x returns errors as pointers into the last page, 1.x as NULL and errno.
_ERROR_POINTERS = 2**64 - 4096

_vsnprintf = ctypes.CDLL(None)["vsnprintf"]
# A va_list is passed on as the pointer that x86-64 and aarch64 pass it by.
_vsnprintf.argtypes = [_TEXT, ctypes.c_size_t, _TEXT, _POINTER]


def load(sizes: Sizes, call_graph: str = FRAME_POINTERS, program: Program | None = None) -> Loaded:
    """Loads the program that walks stacks this way, with maps of these sizes."""
    program = program or Program()
    off_cpu = program.kind is Kind.OFF_CPU
    path = files.find((OFF_CPU_OBJECTS if off_cpu else OBJECTS)[call_graph])
    with opened(path) as (library, bpf_object):
        _prepare(library, bpf_object, sizes, program)
        library.call("bpf_object__load", bpf_object)
        return _loaded(library, bpf_object, sizes, call_graph, program)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple["Library", int]]:
    """The object file, parsed but not loaded. What fails within is told as libbpf tells it."""
    library = Library()
    _unlimit_locked_memory()
    with library.warnings() as warnings:
        try:
            with library.opened(os.fsencode(path)) as bpf_object:
                yield library, bpf_object
        except OSError as error:
            if error.errno == errno.EPERM:  # EACCES is the verifier's
                raise refused("to load BPF programs") from error
            reason = warnings[0].removeprefix("libbpf: ") if warnings else str(error)
            raise ProfilerError(f"libbpf cannot load {path}: {reason}") from error


class Library:
    """libbpf.so, whose functions raise OSError."""

    def __init__(self) -> None:
        self._dll = _open_library()

    def call(self, name: str, *arguments: object) -> int:
        """A function's number or pointer. Raises OSError, and UnavailableError for a name that
        this version of libbpf does not have."""
        try:
            function = self._dll[name]
        except AttributeError:
            raise UnavailableError(f"libbpf has no {name}: install libbpf 1.0 or newer") from None
        function.restype, *function.argtypes = _SIGNATURES[name]
        result = function(*arguments)
        if function.restype is _POINTER and (result is None or result > _ERROR_POINTERS):
            raise _error(2**64 - result if result else ctypes.get_errno() or errno.ENOENT)
        if function.restype is _INT and result < 0:
            raise _error(-result)
        return result or 0

    @contextlib.contextmanager
    def opened(self, path: bytes) -> Iterator[int]:
        """The object file at `path`, parsed but not loaded."""
        bpf_object = self.call("bpf_object__open_file", path, None)
        try:
            yield bpf_object
        finally:
            self.call("bpf_object__close", bpf_object)

    @contextlib.contextmanager
    def warnings(self) -> Iterator[list[str]]:
        """Collects the warnings that libbpf would print on stderr; after it, libbpf is silent."""
        lines: list[str] = []

        def keep(level: int, form: bytes, arguments: int) -> int:
            if level == _WARN:
                text = ctypes.create_string_buffer(1024)
                _vsnprintf(text, len(text), form, arguments)
                lines.extend(text.value.decode("utf-8", "backslashreplace").splitlines())
            return 0

        callback = _PRINT(keep)
        self.call("libbpf_set_print", callback)
        try:
            yield lines
        finally:
            self.call("libbpf_set_print", _PRINT(0))


def _open_library() -> ctypes.CDLL:
    for name in _SONAMES:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name, use_errno=True)
    raise UnavailableError("libbpf.so.1 is not installed: apt-get install libbpf1")


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _unlimit_locked_memory() -> None:
    # Before 5.11, maps count as locked memory, and 64 KiB of it are allowed by default.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY,) * 2)


def _prepare(library: Library, bpf_object: int, sizes: Sizes, program: Program) -> None:
    """Sets what is to be settled before the object is loaded."""

    def find(name: str) -> int:
        return library.call("bpf_object__find_map_by_name", bpf_object, name.encode())

    for number in ("0", "1"):
        stacks, counts = find(f"stacks_{number}"), find(f"counts_{number}")
        library.call("bpf_map__set_max_entries", stacks, sizes.stacks)
        library.call("bpf_map__set_value_size", stacks, 8 * sizes.depth)
        library.call("bpf_map__set_max_entries", counts, sizes.counts)
    if sizes.ring_bytes:
        library.call("bpf_map__set_max_entries", find("ring"), sizes.ring_bytes)
    else:
        library.call("bpf_map__set_autocreate", find("ring"), False)
    settings = bytes(program.settings(sizes))  # the only constant of the program
    library.call("bpf_map__set_initial_value", find(".rodata"), settings, len(settings))
    for name, fd in program.shared.items():
        library.call("bpf_map__reuse_fd", find(name), fd)
    if program.kind is not Kind.OFF_CPU:
        _set_kind(library, bpf_object, program.kind)


def _set_kind(library: Library, bpf_object: int, kind: Kind) -> None:
    """Those that the object calls programs of perf events can be of probes and tracepoints too."""
    for name in ("sample", "unwind_next"):
        with contextlib.suppress(FileNotFoundError):  # one that is not in this object
            found = library.call("bpf_object__find_program_by_name", bpf_object, name.encode())
            library.call("bpf_program__set_type", found, kind.value)


def descriptors(
    library: Library, bpf_object: int, programs: Sequence[str], maps: Sequence[str]
) -> dict[str, int]:
    """Descriptors of our own, by name, of an object that is loaded."""

    def find(kind: str, name: str) -> int:
        found = library.call(f"bpf_object__find_{kind}_by_name", bpf_object, name.encode())
        return library.call(f"bpf_{kind}__fd", found)

    found = [*(find("program", name) for name in programs), *(find("map", name) for name in maps)]
    return dict(zip((*programs, *maps), duplicates(found), strict=True))


def _loaded(
    library: Library, bpf_object: int, sizes: Sizes, call_graph: str, program: Program
) -> Loaded:
    dwarf = call_graph == DWARF
    entry, *runs = program.names
    own = (*sizes.map_names, *program.map_names)
    fds = descriptors(
        library,
        bpf_object,
        (*program.names, UNWIND_LATER) if dwarf else program.names,
        (*own, *UNWIND_MAPS) if dwarf else own,
    )
    program_fd, maps = fds.pop(entry), {name: fds.pop(name) for name in own}
    run_fds = {name: fds.pop(name) for name in runs}
    return Loaded(NAME, program_fd, maps, sizes, call_graph, fds, run_fds)
