"""What calls a program at a place in the kernel or in programs: tracepoint, probe, scheduler.

Unlike a perf event's, such a program is called for every process, on every CPU, and without a
period of the kernel's: it looks for itself whether a hit is wanted.
"""

import ctypes
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from collector.elf.file import read_elf
from collector.elf.source import of_descriptor
from collector.elf.symbols import SHT_DYNSYM, SHT_SYMTAB, read_symbols
from collector.events.event import OffCpu, Tracepoint, Uprobe
from collector.kernel import cpus, perf_event, raw_tracepoint, syscalls
from collector.kernel.program import Kind, refused
from collector.kernel.targets import Targets
from profiler.errors import FormatError, ProfilerError, UnavailableError, UsageError

Place = Tracepoint | Uprobe | OffCpu
Attach = Callable[[int], int]
"""From the descriptor of a program to that of what calls it from now on."""

_TRACEPOINT_TYPE = 2  # PERF_TYPE_TRACEPOINT
UPROBE = Path("/sys/bus/event_source/devices/uprobe/type")
_MOUNTS = Path("/proc/self/mounts")
_BTF = Path("/sys/kernel/btf/vmlinux")


class Hook:
    """Calls the program from `enable` to `disable`; has the methods of perf_event.Events.

    `targets` are the processes that the program looks for, None for all."""

    def __init__(self, program_fd: int, attach: Attach, targets: Targets | None) -> None:
        self._program_fd = program_fd
        self._attach = attach
        self._targets = targets
        self._fd = -1

    def follow_cpus(self, online: Sequence[int]) -> None:
        """Every CPU is followed as it is."""

    def follow_process(self, pid: int, *, on_exec: bool = False) -> bool:
        """Whether the process is there."""
        if self._targets:
            self._targets.add(pid, waits=on_exec)
        if on_exec:
            self.enable()
        return Path(f"/proc/{pid}").exists()

    def enable(self) -> None:
        if self._fd < 0:
            self._fd = self._attach(self._program_fd)

    def disable(self) -> None:
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def kind_of(place: Place) -> Kind:
    """What kind of program can be called there."""
    if isinstance(place, OffCpu):
        return Kind.OFF_CPU
    # What `perf probe` has made stands among the tracepoints.
    made = isinstance(place, Tracepoint) and place.system.startswith("probe")
    return Kind.PROBE if made or isinstance(place, Uprobe) else Kind.TRACEPOINT


def attach_to(place: Place, name: str) -> Attach:
    """Raises UnavailableError and UsageError where the event of this name is not to be had here."""
    match place:
        case OffCpu():
            if not _BTF.exists():
                raise UnavailableError(
                    f"event {name}: this kernel has no BTF ({_BTF}), of Linux 5.5 and"
                    " CONFIG_DEBUG_INFO_BTF; choose context-switches, which counts without time"
                )
            return raw_tracepoint.attach
        case Tracepoint():
            number = _tracepoint_number(place, name)
            return lambda fd: _perf_attach(fd, perf_event.Attributes(**number), name)
        case Uprobe():
            attributes, path = _uprobe(place, name)

            def attach(fd: int) -> int:
                attributes.config1 = ctypes.cast(path, ctypes.c_void_p).value or 0
                return _perf_attach(fd, attributes, name)

            return attach


def _perf_attach(program_fd: int, attributes: perf_event.Attributes, name: str) -> int:
    try:
        fd = syscalls.perf_event_open(attributes, -1, cpus.online()[0])
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            raise refused(f"the event {name}") from error
        raise UnavailableError(f"event {name}: the kernel refuses it ({error.strerror})") from error
    try:
        fcntl.ioctl(fd, perf_event.SET_BPF, program_fd)
        fcntl.ioctl(fd, perf_event.ENABLE, 0)
    except OSError as error:
        os.close(fd)
        raise ProfilerError(f"event {name}: no program of ours there ({error.strerror})") from error
    return fd


def _tracepoint_number(place: Tracepoint, name: str) -> dict[str, int]:
    folder = tracefs()
    if folder is None:
        raise UnavailableError(
            f"event {name}: tracefs is not mounted, which numbers tracepoints: "
            "mount -t tracefs nodev /sys/kernel/tracing"
        )
    path = folder / "events" / place.system / place.name / "id"
    try:
        number = int(path.read_text())
    except PermissionError:
        raise refused(f"{path}, where the event {name} has its number") from None
    except (OSError, ValueError):
        raise UsageError(
            f"no event {name}: this kernel has no such tracepoint; those that it has are in"
            f" {folder}/available_events"
        ) from None
    return {
        "type": _TRACEPOINT_TYPE,
        "size": ctypes.sizeof(perf_event.Attributes),
        "config": number,
        "sample_frequency": 1,
    }


def tracefs() -> Path | None:
    """Where it is mounted."""
    for line in _MOUNTS.read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "tracefs":
            return Path(place.replace("\\040", " "))
    return None


def _uprobe(place: Uprobe, name: str) -> tuple[perf_event.Attributes, ctypes.Array[ctypes.c_char]]:
    try:
        kind = int(UPROBE.read_text())
    except OSError:
        raise UnavailableError(
            f"event {name}: this kernel has no uprobes ({UPROBE}; CONFIGUPROBE_EVENTS, Linux 4.17)"
        ) from None
    attributes = perf_event.Attributes(
        type=kind,
        size=ctypes.sizeof(perf_event.Attributes),
        config2=_offset_in_file(place, name),
        sample_frequency=1,
    )
    return attributes, ctypes.create_string_buffer(os.fsencode(place.path))


def _offset_in_file(place: Uprobe, name: str) -> int:
    """Where the instruction lies in the file; the file is somebody's, and read as such."""
    try:
        fd = os.open(place.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"event {name}: cannot read {place.path}: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise UsageError(f"event {name}: {place.path} is no file")
        elf = read_elf(of_descriptor(fd))
        for table in (SHT_DYNSYM, SHT_SYMTAB):
            symbol = read_symbols(elf, table).find([place.symbol]).get(place.symbol)
            if symbol is None:
                continue
            address = symbol.address + place.offset
            for segment in elf.executable():
                if 0 <= address - segment.address < segment.size:
                    return address - segment.address + segment.offset
    except FormatError as error:
        raise UsageError(f"event {name}: {place.path}: {error}") from None
    finally:
        os.close(fd)
    raise UsageError(f"event {name}: {place.path} has no function {place.symbol} (is it stripped?)")
