"""Debug files from debuginfod servers, fetched by build-id while nobody waits for them.

    debuginfod = Debuginfod(settings, clock, outcomes)
    debuginfod.open(build_id)   None: it is asked for
    …
    debuginfod.has(build_id)    True: open it

Files are kept as elfutils' client keeps them, FOLDER/BUILDID/debuginfo
(https://sourceware.org/elfutils/Debuginfod.html), the least recently used going first. An answer
is what a stranger wrote: it must carry the build-id that was asked for, and is read like any file.
"""

import os
import queue
import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from collector.elf.file import read_elf
from collector.elf.notes import build_id as build_id_of
from collector.elf.source import of_descriptor
from collector.folder import shrink
from collector.processes.bounded import Bounded
from collector.symbols import files
from collector.symbols.download import Bounds, Failed, download
from profiler.clock import Clock
from profiler.errors import FormatError, UsageError

MAX_BYTES = 512 << 20
"""Of one file, unless DEBUGINFOD_MAXSIZE says otherwise."""
MAX_FOLDER_BYTES = 2 << 30
PATIENCE_SECONDS = 90.0
THREADS = 2
MAX_WAITING = 256
"""Build-ids asked for at once; others are asked for in later drains."""
FORGET_NS = 600 * 10**9
"""After this long what a server did not have is asked for again, as elfutils' client does."""
MAX_FORGOTTEN = 4096

_BUILD_ID = re.compile(r"[0-9a-f]{8,128}")


@dataclass(frozen=True, slots=True)
class Settings:
    urls: tuple[str, ...]
    folder: Path
    bounds: Bounds
    max_folder_bytes: int = MAX_FOLDER_BYTES


def read_settings(urls: str, folder: Path, environment: Mapping[str, str]) -> Settings:
    """Servers, separated by spaces, and what elfutils' client is told in the same way:
    DEBUGINFOD_CACHE_PATH instead of `folder`, DEBUGINFOD_TIMEOUT in seconds, DEBUGINFOD_MAXSIZE in
    bytes. Raises UsageError."""
    servers = tuple(url.rstrip("/") for url in urls.split() if not url.startswith("ima:"))
    for url in servers:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"--debuginfod {url}: expected http://… or https://…")
    return Settings(
        servers,
        Path(environment.get("DEBUGINFOD_CACHE_PATH") or folder),
        Bounds(
            _number(environment, "DEBUGINFOD_TIMEOUT") or PATIENCE_SECONDS,
            min(_number(environment, "DEBUGINFOD_MAXSIZE") or MAX_BYTES, files.MAX_FILE_BYTES),
        ),
    )


def _number(environment: Mapping[str, str], name: str) -> int:
    """0 where it is not set, or says that there is no limit."""
    text = environment.get(name) or "0"
    try:
        return max(int(text), 0)
    except ValueError:
        raise UsageError(f"{name}={text[:40]}: expected a number") from None


class Debuginfod:
    """Serves one thread, and has others fetch; `outcomes` counts what came of each file."""

    def __init__(self, settings: Settings, clock: Clock, outcomes: Counter[str]) -> None:
        self._settings = settings
        self._clock = clock
        self._outcomes = outcomes
        self._pending: set[str] = set()
        self._arrived: set[str] = set()
        self._retry_ns: Bounded[str, int] = Bounded(MAX_FORGOTTEN, lambda time: 1)
        self._wanted: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()

    def open(self, build_id: str) -> int | None:
        """A descriptor of the debug file, if it is here by now; else it is asked for."""
        descriptor = self._open(build_id) if _BUILD_ID.fullmatch(build_id) else None
        if descriptor is None:
            self._arrived.discard(build_id)
            self._ask(build_id)
        return descriptor

    def has(self, build_id: str) -> bool:
        """Whether the file has arrived; else it is asked for, if it was not or is forgotten."""
        while not self._answers.empty():
            answered, outcome = self._answers.get()
            self._outcomes[outcome] += 1
            self._pending.discard(answered)
            if outcome == "found":
                self._arrived.add(answered)
            else:
                self.refuse(answered)
        self._ask(build_id)
        return build_id in self._arrived

    def refuse(self, build_id: str) -> None:
        """The file is of no use, and not asked for again for a while."""
        self._arrived.discard(build_id)
        self._retry_ns[build_id] = self._clock.monotonic_ns() + FORGET_NS

    def close(self) -> None:
        """Ends what is being fetched, at the next piece of it."""
        self._stopped.set()
        for _ in self._threads:
            self._wanted.put(None)

    def _open(self, build_id: str) -> int | None:
        path = self._settings.folder / build_id / "debuginfo"
        descriptor = files.open_regular(os.fsencode(path))
        if descriptor is None:
            return None
        if not _carries(descriptor, build_id):
            os.close(descriptor)
            return None
        os.utime(descriptor)
        return descriptor

    def _ask(self, build_id: str) -> None:
        retry_ns = self._retry_ns.get(build_id) or 0
        if (
            build_id in self._pending
            or build_id in self._arrived
            or self._clock.monotonic_ns() < retry_ns
            or len(self._pending) >= MAX_WAITING
            or not _BUILD_ID.fullmatch(build_id)
        ):
            return
        self._pending.add(build_id)
        self._wanted.put(build_id)
        if len(self._threads) < min(THREADS, len(self._pending)):
            self._threads.append(threading.Thread(target=self._serve, daemon=True))
            self._threads[-1].start()

    def _serve(self) -> None:
        while build_id := self._wanted.get():
            try:
                outcome = self._fetch(build_id)
            except OSError:
                outcome = "no_room"
            self._answers.put((build_id, outcome))

    def _fetch(self, build_id: str) -> str:
        """Asks one server after the other; what came of it."""
        folder = self._settings.folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        outcomes = []
        for url in self._settings.urls:
            with NamedTemporaryFile(dir=folder, prefix="part.", delete=False) as file:
                part = Path(file.name)
                try:
                    where = f"{url}/buildid/{build_id}/debuginfo"
                    download(where, file, self._settings.bounds, self._stopped.is_set)
                    file.flush()
                    if not _carries(file.fileno(), build_id):
                        raise Failed("wrong_file")
                    (folder / build_id).mkdir(mode=0o700, exist_ok=True)
                    part.replace(folder / build_id / "debuginfo")
                    shrink(folder.glob("*/debuginfo"), self._settings.max_folder_bytes)
                    return "found"
                except Failed as failure:
                    outcomes.append(failure.cause)
                finally:
                    part.unlink(missing_ok=True)
        return next((outcome for outcome in outcomes if outcome != "missing"), "missing")


def _carries(descriptor: int, build_id: str) -> bool:
    try:
        return build_id_of(read_elf(of_descriptor(descriptor))) == build_id
    except FormatError:
        return False
