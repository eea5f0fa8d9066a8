"""A file system of one program, `program`, whose server stops answering when it is told to.

    with silenceable(folder, Path("/bin/dash")) as silence:
        …
        silence()

The kernel's side of it is in linux/fuse.h.
"""

import ctypes
import os
import select
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, OPENDIR = 1, 2, 3, 14, 15, 18, 25, 26, 27
NO_ENTRY, NO_SUCH_CALL = 2, 38
FOLDER, PROGRAM = 1, 2
"""The numbers of its inodes."""


@contextmanager
def silenceable(folder: Path, program: Path) -> Iterator[Callable[[], None]]:
    """What is called never returns an answer again; needs root and /dev/fuse."""
    if os.geteuid() or not Path("/dev/fuse").exists():
        pytest.skip("needs root and /dev/fuse")
    command = [sys.executable, "-m", __name__, str(folder), str(program)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin and server.stdout
        if not server.stdout.readline():
            pytest.skip("no FUSE file system can be mounted here")
        stdin, stdout = server.stdin, server.stdout

        def silence() -> None:
            stdin.write(b"!")
            stdin.flush()
            assert stdout.readline()

        try:
            yield silence
        finally:
            server.kill()
            subprocess.run(["umount", "--lazy", folder], check=True)


def serve(folder: str, contents: bytes) -> None:
    """Until a byte comes on the standard input; from then on it only holds what it has."""
    fuse = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"silenceable", folder.encode(), b"fuse", 0, options):
        return
    while 0 not in (ready := select.select([fuse, 0], [], [])[0]):
        assert fuse in ready
        request = os.read(fuse, 1 << 20)
        _, call, unique, node = struct.unpack_from("<IIQQ", request)
        if call == FORGET:
            continue
        body, error = answer(call, node, request[40:], contents)
        os.write(fuse, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)
        if call == INIT:
            print("ready", flush=True)
    os.read(0, 1)
    print("silent", flush=True)
    os.read(0, 1)


def answer(call: int, node: int, asked: bytes, contents: bytes) -> tuple[bytes, int]:
    """What the server says to a call, and the number of its error."""
    if call == INIT:
        return struct.pack("<4I2H2I2H8I", 7, 31, 1 << 16, 0, 16, 12, 1 << 16, 1, 32, *[0] * 9), 0
    if call == LOOKUP and asked.rstrip(b"\0") == b"program":
        return struct.pack("<4Q2I", PROGRAM, 0, 0, 0, 0, 0) + attributes(PROGRAM, len(contents)), 0
    if call == GETATTR:
        return struct.pack("<Q2I", 0, 0, 0) + attributes(node, len(contents)), 0
    if call in (OPEN, OPENDIR):
        return struct.pack("<Q2I", 1, 0, 0), 0
    if call == READ:
        _, offset, size = struct.unpack_from("<2QI", asked)
        return contents[offset : offset + size], 0
    if call in (RELEASE, FLUSH):
        return b"", 0
    return b"", NO_ENTRY if call == LOOKUP else NO_SUCH_CALL


def attributes(node: int, size: int) -> bytes:
    mode = 0o40755 if node == FOLDER else 0o100755
    return struct.pack("<6Q10I", node, size, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]).read_bytes())
