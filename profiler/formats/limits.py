"""What a file from outside may cost. Profiles as people keep them stay far below."""

from profiler.errors import FormatError

MAX_BYTES = 64 << 20
"""Of the file, and of what it unpacks to: a parsed file takes up to 30 times its size."""

MAX_DEPTH = 4096
"""Frames in a stack. The kernel records 127, runtimes with deep recursion some thousand."""

MAX_NODES = 2_000_000
"""Nodes of the prefix tree of all stacks; about 1 GB while it is built."""

MAX_COUNT = 2**63 - 1
"""The sum of all samples, and of all values."""


def check_size(data: bytes) -> None:
    """Raises FormatError for more than MAX_BYTES."""
    if len(data) > MAX_BYTES:
        raise FormatError(f"the profile has {len(data):,} bytes, more than {MAX_BYTES:,}")
