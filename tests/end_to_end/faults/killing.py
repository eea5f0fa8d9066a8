"""Kills a collector in the middle of a drain: as it begins to write the batch to its spool."""

import ctypes
import os
import struct
from pathlib import Path
from subprocess import Popen

_CREATED = 0x100  # IN_CREATE, linux/inotify.h
_EVENT = struct.Struct("=iIII")
_library = ctypes.CDLL(None, use_errno=True)


def kill_while_it_writes(collector: Popen[bytes], spool: Path) -> bool:
    """False where the batch was written before the signal came."""
    watch = _library.inotify_init1(os.O_CLOEXEC)
    try:
        if _library.inotify_add_watch(watch, os.fsencode(spool), _CREATED) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
        while not any(name.endswith(b".batch.tmp") for name in _names(os.read(watch, 4096))):
            pass
        collector.kill()
        collector.wait()
    finally:
        os.close(watch)
    return any(spool.glob("*.batch.tmp"))


def _names(events: bytes) -> list[bytes]:
    found = []
    while events:
        *_, length = _EVENT.unpack_from(events)
        found.append(events[_EVENT.size : _EVENT.size + length].rstrip(b"\0"))
        events = events[_EVENT.size + length :]
    return found
