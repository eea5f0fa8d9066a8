"""What this node offers the collector, what it lacks, and the step that mends it.

Found by trying rather than from version numbers, since distributions backport and containers
forbid. `inspect` looks, `render` prints:

    ok       kernel   6.1.0-18-amd64
    MISSING  CAP_BPF  not given; it is for loading the sampling program and its maps
                      -> run as root, or give the service this capability; …
    -        cycles   not on this machine; cpu-clock serves instead
"""

import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from collector import privileges
from collector.kernel import hook, perf_event, pins, ring
from collector.kernel.loader import LOADERS, Load, fit, load
from collector.kernel.perf_event import CPU_CLOCK, CYCLES, Counter
from collector.kernel.program import DWARF, Kind, Program, Sizes
from collector.privileges import Capability
from collector.pyspy.spying import find_program
from profiler.errors import ProfilerError

_GIVE = "run as root, or give the service this capability"

_FIRST_PIDS = "pid:[4026531836]"  # PROC_PID_INIT_INO of linux/proc_ns.h

# Small maps: this is a try, and memory is not what it is for.
_PROBE = Sizes(stacks=16, counts=16, ring_bytes=1 << 16)
_PROBE_HZ = 99
OFF_CPU = Program(Kind.OFF_CPU)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked for. Without a thing that is `needed`, nothing can be sampled."""

    name: str
    value: str
    works: bool = True
    needed: bool = False
    mend: str = ""


@dataclass(frozen=True, slots=True)
class NodeReport:
    findings: tuple[Finding, ...]

    @property
    def ready(self) -> bool:
        """Whether this node can be sampled."""
        return all(finding.works or not finding.needed for finding in self.findings)


def inspect() -> NodeReport:
    """Looks at the running node; loads the program once by each loader, which takes a second."""
    return NodeReport(tuple(_findings()))


def render(report: NodeReport) -> str:
    width = max(len(finding.name) for finding in report.findings)
    lines = []
    for finding in report.findings:
        state = "ok" if finding.works else "MISSING" if finding.needed else "-"
        lines.append(f"{state:<8} {finding.name:<{width}}  {finding.value}")
        if finding.mend and not finding.works:
            lines.append(f"{'':<8} {'':<{width}}  -> {finding.mend}")
    ending = "can be sampled" if report.ready else "cannot be sampled"
    return "\n".join([*lines, f"This node {ending}."])


def _findings() -> Iterator[Finding]:
    yield Finding("kernel", platform.release())
    yield processes(Path("/proc/self/ns/pid").readlink().name)
    yield _btf()
    yield from capabilities(Path("/proc/self/status").read_text(), privileges.needed())
    for setting in ("perf_event_paranoid", "kptr_restrict"):
        yield Finding(setting, _setting(f"kernel/{setting}"))
    yield kernel_symbols(Path("/proc/kallsyms"))
    yield _event(CPU_CLOCK, needed=True, otherwise="")
    yield _event(CYCLES, needed=False, otherwise="; cpu-clock serves instead")
    yield _ring_buffer()
    yield _jit()
    yield _call_graph()
    yield _off_cpu()
    yield tracepoints(hook.tracefs())
    yield _uprobes()
    yield _py_spy()
    yield _pins()
    yield from _loaders()


def processes(namespace: str) -> Finding:
    """Whether this is the namespace of process numbers that the kernel's samples have."""
    works = namespace == _FIRST_PIDS
    value = "all of this node" if works else "those of a container alone: the others stay [unknown]"
    mend = "start the container with the host's (hostPID, --pid host)"
    return Finding("processes", value, works=works, mend=mend)


def _setting(name: str) -> str:
    try:
        return (Path("/proc/sys") / name).read_text().strip()
    except OSError as error:
        return f"not readable ({error.strerror})"


def _btf() -> Finding:
    path = Path("/sys/kernel/btf/vmlinux")
    if path.exists():
        return Finding("BTF", str(path))
    return Finding("BTF", "none; the sampling program does without", works=False)


def capabilities(status: str, wanted: Iterable[Capability]) -> Iterator[Finding]:
    """What the text of /proc/PID/status says of those in effect."""
    effective = int(status.split("CapEff:", 1)[1].split(None, 1)[0], 16)
    for one in wanted:
        works = privileges.to_keep(effective, (one,)) != 0
        value = one.purpose if works else f"not given; it is for {one.purpose}"
        mend = f"{_GIVE}; without it, {one.lacking}"
        yield Finding(one.name, value, works, needed=one.essential, mend=mend)


def kernel_symbols(path: Path) -> Finding:
    """Whether addresses in /proc/kallsyms, at `path`, are shown: hidden ones are all zero."""
    try:
        with path.open() as symbols:
            shown = int(symbols.readline().split()[0], 16) != 0
    except (OSError, IndexError):
        return Finding("kernel symbols", f"{path} is not readable", works=False)
    value = "readable" if shown else "hidden: kernel frames stay [unknown]"
    mend = "sysctl kernel.kptr_restrict=1, and CAP_SYSLOG"
    return Finding("kernel symbols", value, works=shown, mend=mend)


def _event(event: Counter, *, needed: bool, otherwise: str) -> Finding:
    try:
        works = perf_event.available(event, _PROBE_HZ)
    except ProfilerError as error:
        return Finding(event.name, str(error), works=False, needed=needed)
    value = "sampled" if works else f"not on this machine{otherwise}"
    return Finding(event.name, value, works=works, needed=needed)


def _ring_buffer() -> Finding:
    works = ring.supported()
    value = "kept samples that collide" if works else "none before Linux 5.8: collisions are lost"
    return Finding("ring buffer", value, works=works, mend="a newer kernel")


def _jit() -> Finding:
    setting = _setting("net/core/bpf_jit_enable")
    mend = "sysctl net.core.bpf_jit_enable=1"
    return Finding("BPF JIT", setting, works=setting != "0", mend=mend)


def _call_graph() -> Finding:
    failure = _failure(lambda sizes, program: load("auto", sizes, DWARF, program))
    value = failure or "whole stacks of programs without frame pointers"
    return Finding("call graph dwarf", value, works=not failure, mend="--call-graph fp serves")


def _off_cpu() -> Finding:
    failure = _failure(lambda sizes, program: load("libbpf", sizes, program=OFF_CPU))
    return Finding("off-cpu", failure or "off-CPU time by stack", works=not failure)


def tracepoints(folder: Path | None) -> Finding:
    """Whether their numbers can be read below `folder`, where tracefs is mounted."""
    mend = "mount -t tracefs nodev /sys/kernel/tracing"
    if folder is None:
        return Finding("tracepoints", "tracefs is not mounted", works=False, mend=mend)
    works = (folder / "events").is_dir()
    value = f"those of {folder}/events" if works else f"{folder} is not readable"
    return Finding("tracepoints", value, works=works, mend="run as root")


def _uprobes() -> Finding:
    works = hook.UPROBE.exists()
    value = "in programs and libraries" if works else "none in this kernel"
    return Finding("uprobes", value, works=works, mend="a kernel with CONFIG_UPROBE_EVENTS")


def _py_spy() -> Finding:
    program = find_program()
    value = str(program or "not installed: interpreters not known otherwise show native frames")
    return Finding("py-spy", value, works=program is not None, mend="pip install py-spy")


def _pins() -> Finding:
    problem = pins.problem()
    value = problem or "a killed collector's samples are counted as lost"
    mend = "mount -t bpf bpf /sys/fs/bpf; in a container, from the host"
    return Finding("BPF file system", value, works=not problem, mend=mend)


def _loaders() -> Iterator[Finding]:
    """Only one of them is needed."""
    failures = {name: _failure(load) for name, load in LOADERS.items()}
    needed = all(failures.values())
    for name, failure in failures.items():
        yield Finding(f"loader {name}", failure or "loads", works=not failure, needed=needed)


def _failure(load: Load) -> str:
    try:
        load(fit(_PROBE), Program()).close()
    except ProfilerError as error:
        return str(error)
    return ""
