"""What a frame is, told by its names, for formats that have no place for it."""

import re

from profiler.model import Kind

_JIT_BINARY = re.compile(r"\[(jit|anon.*|heap|stack)\]|(.*/)?perf-\d+\.map")
_KERNEL_BINARY = re.compile(r"\[(?!vdso\]|vsyscall\]|vvar|unknown).+\]|(.*/)?vmlinux[^/]*")
_MARKER = re.compile(r"\[truncated: .*\]")


def kind_of(function: str, file: str, binary: str) -> Kind:
    if _MARKER.fullmatch(function):
        return Kind.MARKER
    if _JIT_BINARY.fullmatch(binary):
        return Kind.JIT
    if _KERNEL_BINARY.fullmatch(binary):
        return Kind.KERNEL
    # Python calls what it has no file for `<string>` and `<frozen importlib._bootstrap>`.
    python = file.endswith(".py") or (file.startswith("<") and not binary)
    return Kind.PYTHON if python else Kind.NATIVE
