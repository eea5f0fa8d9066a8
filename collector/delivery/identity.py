"""Who this collector is to the server, and the numbers of its batches.

The server stores a batch once by (collector id, sequence), so a number that is used twice is a
batch that is silently not stored. Therefore numbers are promised on disk before they are used,
1,000 at a time; whoever comes after a crash begins above the promise. One line of text:

    9f86d081884c7d659a2feaa0c55ad015 3001 b08dfa6083e7567a1921a715000001fb

the id, the first number that is not promised, and the machine, since an image of a disk may be
started many times: on another machine the id is another collector's.
"""

import uuid
from pathlib import Path

from collector.delivery import durable

PROMISED_AT_ONCE = 1000
"""One write of the file in three hours at a batch each 10 s."""

MACHINE_ID = Path("/etc/machine-id")


class Identity:
    """Hands out (collector id, sequence) pairs, each once for ever."""

    def __init__(self, path: Path, used: int = 0, machine_id: Path = MACHINE_ID) -> None:
        """`used`: the highest number that is known to be taken, beside what `path` says."""
        self._path = path
        self._machine = _machine(machine_id)
        self._id, promised = self._read() or (uuid.uuid4().bytes, 1)
        self._next = self._promised = max(promised, used + 1)

    def take(self) -> tuple[bytes, int]:
        """A pair that nobody has had and nobody will get."""
        if self._next == self._promised:
            self._promise()
        self._next += 1
        return self._id, self._next - 1

    def _promise(self) -> None:
        promised = self._next + PROMISED_AT_ONCE
        try:
            durable.replace(
                self._path, f"{self._id.hex()} {promised} {self._machine}\n".encode("ascii")
            )
        except OSError:
            # What cannot be promised is numbered for an id that nobody else has or will have.
            self._id = uuid.uuid4().bytes
        self._promised = promised

    def _read(self) -> tuple[bytes, int] | None:
        """Id and promise of this machine; None where the file is not there, or not ours."""
        try:
            text, promised, machine = self._path.read_text("ascii").split()
            collector_id = bytes.fromhex(text)
            if len(collector_id) == 16 and machine == self._machine:
                return collector_id, int(promised)
        except (OSError, ValueError):
            pass
        return None


def _machine(path: Path) -> str:
    try:
        return path.read_text("ascii").strip() or "-"
    except (OSError, ValueError):
        return "-"
