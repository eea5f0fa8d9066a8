"""`profiler record`: a profile of one command, or of one process."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
from click.core import ParameterSource

from collector.agent import SignalClock
from collector.cli import on_demand
from collector.cli import options as flags
from collector.delivery import Exporter
from collector.delivery.file import FileExporter
from collector.delivery.grpc import GrpcExporter, plain_channel
from collector.delivery.profile import ProfileExporter
from collector.delivery.spool import Spool
from collector.events import parse_all
from collector.recorder import Recording
from collector.symbols.debuginfod import Settings
from profiler.cli import options
from profiler.cli.client import DEFAULT_SERVER
from profiler.errors import UnavailableError, UsageError
from profiler.formats import FORMATS, folded
from profiler.model import Profile
from profiler.timerange import LATEST, SECOND, parse_duration

SESSION_HZ = 999
"""Of collectors that are asked to look closer: what they allow, unless they are told otherwise."""
RECORDING = "recording"
"""Its drains are not merged, a second each, for `profiler collect --recorded`."""


@click.command(
    short_help="a flamegraph of one command or process",
    context_settings={"allow_interspersed_args": False},  # COMMAND's options are its own
)
@flags.frequency
@click.option(
    "--duration",
    "duration_ns",
    type=parse_duration,
    metavar="DURATION",
    help="Sample no longer than this.  [default: to the end of the process, or Ctrl-C]",
)
@click.option("-p", "--pid", type=int, metavar="PID", help="Record a process that runs.")
@click.option(
    "--on",
    metavar="MATCHERS",
    help="Ask the collectors of these processes, by way of their server, to record them:"
    """ 'host_name="a",service_name="checkout"'.""",
)
@options.format(tuple(FORMATS), "The file's format; by default that of FILE's ending, else folded.")
@click.option("-o", "--output", metavar="FILE", help="Where to write; - is the standard output.")
@click.option(
    "--value",
    type=click.Choice(("samples", "value")),
    help="What folded counts: samples, or the unit of the type.  [default: value where samples"
    " differ in it, as those of off-cpu do, else samples]",
)
@click.option(
    "--server",
    metavar="HOST:PORT|URL",
    help="Send the samples there (gRPC) instead; with --on, the server to ask."
    f"  [default with --on: $PROFILER_SERVER, or {DEFAULT_SERVER}]",
)
@click.option(
    "--repeat",
    type=click.IntRange(1),
    metavar="N",
    help="Run COMMAND so often, each run a file in the folder FILE, for `profiler check`.",
)
@flags.loader
@flags.event
@flags.call_graph
@flags.py_spy
@flags.debuginfod
@flags.host_name
@flags.verbose
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def record(
    frequency: int,
    duration_ns: int | None,
    pid: int | None,
    on: str | None,
    format: str | None,
    output: str | None,
    value: str | None,
    server: str | None,
    repeat: int | None,
    loader: str,
    event: tuple[str, ...],
    call_graph: str,
    py_spy: bool,
    debuginfod: Settings | None,
    host_name: str,
    verbose: bool,
    command: tuple[str, ...],
) -> None:
    """Samples COMMAND from its first instruction, or the process PID, and what they start.

    Leaves with the exit code of COMMAND: 128 + N where the signal N ended it. With --repeat the
    first run that fails is the last.

    With --on, collectors that run take the samples, beside their usual ones: at 999 Hz for 30 s if
    nothing else is said, within the bounds of their nodes. Without -o, prints where the page shows
    them. Leaves with 1 unless every host took what it was asked for, and says why not.

    \b
    Examples:
      profiler record -o build.folded -- make -j4
      profiler record -F 199 -o job.speedscope.json -- python job.py
      profiler record --event cpu,off-cpu,page-faults -o job.pb.gz -- ./job
      profiler record -F 999 --repeat 10 -o runs/main -- ./benchmark
      profiler record -p 1234 --duration 30s -o service.pb.gz
      profiler record --server 127.0.0.1:8441 -- ./benchmark
      profiler record --on 'host_name="a",service_name="checkout"' --duration 10s -o a.pb.gz
    """
    if [pid is not None, bool(command), on is not None].count(True) != 1:
        raise UsageError("give one of -p PID, --on MATCHERS and -- COMMAND")
    if duration_ns == 0:
        raise UsageError("--duration 0: give one that is longer, such as 30s")
    if on is not None:
        given = click.get_current_context().get_parameter_source("frequency")
        hz = SESSION_HZ if given is ParameterSource.DEFAULT else frequency
        url = server or os.environ.get("PROFILER_SERVER") or DEFAULT_SERVER
        asked = on_demand.Session(url, on, _one(event), hz, duration_ns)
        sys.exit(0 if on_demand.record(asked, output, format) else 1)
    if (output is None) == (server is None):
        raise UsageError("give either -o FILE or --server HOST:PORT")
    events = parse_all(event, frequency_hz=frequency, each=True)
    flags.log(verbose)
    if repeat and (output in (None, options.STDOUT) or not command):
        raise UsageError("--repeat runs a command, each run a file: give -o FOLDER -- COMMAND")
    code = 0
    for file in _runs(output or "", repeat, format) if repeat else [output or options.STDOUT]:
        with _server(server) if server else _file(file, format, value, len(events)) as exporter:
            recording = Recording(
                exporter,
                SignalClock(),
                events,
                loader,
                call_graph,
                py_spy,
                debuginfod,
                host_name,
                duration_ns or LATEST,
            )
            code = recording.process(pid) if pid is not None else recording.command(command)
        click.echo(f"profiler: {_summary(recording)}; to {server or file}", err=True)
        if code or recording.clock.stopped:
            break
    sys.exit(code)


def _runs(folder: str, count: int, format: str | None) -> Iterator[str]:
    """The files of so many runs. What an earlier recording left there would be runs too."""
    suffix = FORMATS[format or "pprof"].suffix
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        if any(Path(folder).iterdir()):
            raise UsageError(f"{folder} is not empty: its files would count as runs")
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from None
    for number in range(1, count + 1):
        yield str(Path(folder) / f"run-{number:0{len(str(count))}}{suffix}")


def _one(events: tuple[str, ...]) -> str:
    """The event of a session, whose collectors say which they offer."""
    if len(events) > 1:
        raise UsageError("give one --event with --on")
    return events[0]


@contextmanager
def _file(output: str, format: str | None, value: str | None, types: int) -> Iterator[Exporter]:
    exporter = _exporter(output, format, value, types)
    yield exporter
    exporter.close()


def _exporter(output: str, format: str | None, value: str | None, types: int) -> Exporter:
    name = format or options.format_by_suffix(output) or "folded"
    if name == RECORDING:
        return FileExporter(output)
    if output == options.STDOUT and types > 1 and not FORMATS[name].dumps_all:
        raise UsageError(f"several events are several files of {name}: give -o FILE, or pprof")
    if output != options.STDOUT and (types == 1 or FORMATS[name].dumps_all):
        options.check_writable(output)
    return ProfileExporter(partial(_write, name, value, output))


def _write(name: str, value: str | None, output: str, profiles: Sequence[Profile]) -> None:
    """All types in one file, if it can hold them; else in one each: out.folded is out.cpu.folded
    and out.off_cpu.folded."""
    if dumps_all := FORMATS[name].dumps_all:
        options.write(dumps_all(profiles), output, binary=True)
        return
    for profile in profiles:
        place = output if len(profiles) == 1 else _beside(output, profile.type.name)
        options.write(_dumped(name, value, profile), place)


def _dumped(name: str, value: str | None, profile: Profile) -> bytes:
    if name != "folded":
        return FORMATS[name].dumps(profile)
    column = value or ("samples" if profile.period else "value")
    return folded.dumps(profile, "value" if column == "value" else "samples")


def _beside(output: str, type_: str) -> str:
    suffix = next((f.suffix for f in FORMATS.values() if output.endswith(f.suffix)), "")
    suffix = suffix or Path(output).suffix
    return f"{output.removesuffix(suffix)}.{type_}{suffix}"


@contextmanager
def _server(target: str) -> Iterator[Exporter]:
    """Delivers by way of a spool of its own, since that of the node may be in use."""
    connect = plain_channel(target)
    with tempfile.TemporaryDirectory(prefix="profiler-") as directory:
        exporter = GrpcExporter(Spool(Path(directory)), connect, f"server {target}")
        try:
            yield exporter
        finally:
            exporter.close()
        if waiting := exporter.spool.batches:
            raise UnavailableError(
                f"server {target} did not take {waiting} batches: record to a file with -o FILE"
            )


def _summary(recording: Recording) -> str:
    lost, seconds = flags.lost(recording.losses), recording.sampled_ns / SECOND
    return f"taken {recording.taken:,} samples in {seconds:.2f} s, {lost}"
