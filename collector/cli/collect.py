"""`profiler collect`: samples this machine until it is told to stop."""

import logging
import random
import sys
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from collector import memory, priority, privileges
from collector.agent import Agent, SignalClock, StoppableClock
from collector.cli import options
from collector.config import SERVER, Config, cache_folder, default_spool, parse_size
from collector.cost import Meter
from collector.delivery import Exporter
from collector.delivery.file import FileExporter
from collector.delivery.grpc import GrpcExporter, plain_channel
from collector.delivery.spool import Spool
from collector.kernel import check as node
from collector.kernel.pins import PINS
from collector.kernel.process_events import ProcessEvents
from collector.kernel.sampling import sample
from collector.on_demand.sessions import Sessions
from collector.on_demand.source import Node
from collector.prompt import Prompt
from collector.restraint import Restraint
from collector.sources import SampleSource
from collector.sources.live import LiveSource
from collector.sources.recorded import DEMO, RecordedSource
from collector.symbols.symbolizer import Symbolizer
from profiler.errors import UsageError
from profiler.model import CPU

logger = logging.getLogger(__name__)


@click.command(short_help="sample this machine, send the samples to a server")
@click.option(
    "--server",
    metavar="HOST:PORT",
    default=SERVER,
    show_default=True,
    help="Where the server takes samples (its gRPC address).",
)
@options.frequency
@click.option(
    "--interval",
    "interval_ns",
    type=options.interval,
    metavar="DURATION",
    default="10s",
    show_default=True,
    help="How often samples are taken from the kernel and sent.",
)
@options.loader
@options.event
@options.call_graph
@options.py_spy
@options.debuginfod
@click.option(
    "--spool",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    default=default_spool,
    show_default="/var/lib/profiler/spool, or in $XDG_STATE_HOME",
    help="Keeps what the server has not acknowledged.",
)
@click.option(
    "--spool-size",
    "spool_bytes",
    type=parse_size,
    metavar="SIZE",
    default="256MiB",
    show_default=True,
    help="Beyond it the oldest samples are dropped, and counted.",
)
@click.option(
    "--pins",
    # access(2) would say no: it does not know of CAP_DAC_READ_SEARCH.
    type=click.Path(readable=False, path_type=Path),
    metavar="DIR",
    default=PINS,
    show_default=True,
    help="In the BPF file system: there the kernel's counters outlive a collector that is killed,"
    " so that the samples that it loses are counted; '' for nowhere.",
)
@click.option("--metrics", metavar="ADDR", default="", help="Serve Prometheus at HOST:PORT.")
@click.option(
    "--recorded",
    metavar="FILE|demo",
    default="",
    help="Send a recording instead of samples, marked as one; needs no privileges.",
)
@click.option("--repeat", is_flag=True, help="Begin the recording again whenever it ends.")
@click.option(
    "--to", metavar="FILE", default="", help="Write a recording, send nothing; - is stdout."
)
@options.host_name
@options.rule
@options.max_series
@options.engine_socket
@options.pods
@options.pods_token
@options.pods_ca
@options.max_cpu
@options.max_memory
@options.on_demand
@options.on_demand_frequency
@options.on_demand_duration
@options.on_demand_sessions
@click.option("--check", is_flag=True, help="Say what this node offers and lacks, then leave.")
@options.verbose
def collect(check: bool, verbose: bool, **given: Any) -> None:
    """Samples the stacks of everything that runs here and sends them to a server.

    While the server is away samples are kept on disk. What is lost on the way is counted and
    shown with the flamegraph.

    \b
    Examples:
      profiler collect --check
      profiler collect --server profiler.example:8441
      profiler collect -F 19 --metrics 127.0.0.1:9440
      profiler collect --event cpu,off-cpu/min=1ms/ --event page-faults
      profiler collect --to samples.pb
      profiler collect --recorded samples.pb
      profiler collect --rule 'action = "drop", source_labels = ["__uid"], regex = "1000"'
    """
    if check:
        report = node.inspect()
        click.echo(node.render(report))
        sys.exit(0 if report.ready else 1)
    options.log(verbose)
    click.echo(f"profiler: {run(Config(**given), SignalClock())}", err=True)


def run(config: Config, clock: StoppableClock) -> str:
    """Collects until the clock is stopped or a recording ends; what came of it, in a line.

    Raises what its parts do.
    """
    if config.repeat and not config.recorded:
        raise UsageError("--repeat is for --recorded")
    memory.use_one_pool()
    interval_ns = 0 if config.recorded and not config.repeat else config.interval_ns
    with ExitStack() as opened:
        source = _recorded(config, clock) if config.recorded else _live(config)
        exporter, prompt = _exporter(config)
        opened.callback(exporter.close)
        sessions = _sessions(config, source, exporter, prompt)
        opened.callback(sessions.close)
        restraint = _restraint(config, source, sessions, clock)
        look = restraint.look if restraint else lambda: None
        shift_ns = random.randrange(interval_ns) if interval_ns else 0
        agent = Agent(
            source,
            exporter,
            clock,
            interval_ns,
            shift_ns=shift_ns,
            left=exporter.spool.mark.lost if isinstance(exporter, GrpcExporter) else (),
            begun=partial(_follow, config, source, exporter),
            ending=sessions.close,  # what the source has serves them
            look=look,
        )
        if config.metrics:
            # What brings an HTTP server along weighs 5 MB.
            from collector import metrics

            measured = metrics.NodeMetrics(agent, source, exporter, restraint, sessions)
            opened.callback(metrics.serve(measured, config.metrics))
        memory.settle()
        agent.run()
    return _summary(agent, exporter)


def _restraint(
    config: Config, source: SampleSource, sessions: Sessions, clock: StoppableClock
) -> Restraint | None:
    """None for a recording, which costs what its reader wants it to."""
    if not isinstance(source, LiveSource):
        return None
    return Restraint(config.ceilings, source, Meter(source, sessions).read, clock, sessions.give_up)


def _follow(config: Config, source: SampleSource, exporter: Exporter) -> None:
    """So that the next collector can tell what this one lost, should it be killed."""
    if isinstance(source, LiveSource) and isinstance(exporter, GrpcExporter):
        exporter.spool.mark.follow(config.host_name, source.parts)


def _summary(agent: Agent, exporter: Exporter) -> str:
    losses, waiting = agent.losses, ""
    if isinstance(exporter, GrpcExporter):
        spool = exporter.spool
        losses = losses + spool.lost
        if spool.batches:
            waiting = f"; {spool.batches} batches wait in {spool.directory} for the next start"
    return f"taken {agent.taken:,} samples, {options.lost(losses)}{waiting}"


def _live(config: Config) -> LiveSource:
    sampling = sample(config.events, loader=config.loader, call_graph=config.call_graph)
    return LiveSource(
        sampling,
        ProcessEvents(),
        Symbolizer(config.labelling, debuginfod=config.debuginfod),
        config.host_name,
        cache_folder("unwind"),
        py_spy=config.py_spy,
    )


def _sessions(config: Config, source: SampleSource, exporter: Exporter, prompt: Prompt) -> Sessions:
    """Asked for by way of the server, if there is one."""
    live = source if isinstance(source, LiveSource) else None
    node = Node(
        live,
        config.labelling,
        config.loader,
        _clock(config),
        config.call_graph,
        config.debuginfod,
        cache_folder("unwind"),
    )
    sessions = Sessions(config.on_demand_limits, node, exporter, prompt=prompt)
    if isinstance(exporter, GrpcExporter):
        exporter.listen(config.host_name, sessions.ask)
    return sessions


def _clock(config: Config) -> str:
    """What the usual profile of CPU time is sampled by, if there is one."""
    return next((event.name for event in config.events if event.type == CPU), CPU.name)


def _recorded(config: Config, clock: StoppableClock) -> RecordedSource:
    path = DEMO if config.recorded == "demo" else Path(config.recorded)
    return RecordedSource(path, clock, repeat=config.repeat)


def _exporter(config: Config) -> tuple[Exporter, Prompt]:
    """Opens what root alone may open, then stands back: from here on threads are started."""
    if config.to:
        file = FileExporter(config.to)
        return file, _stand_back(config)
    connect = plain_channel(config.server)
    with suppress(OSError):  # the spool says what is wrong with it
        config.spool.mkdir(parents=True, exist_ok=True)
    prompt = _stand_back(config)
    pins = config.pins if config.pins.name else None
    spool = Spool(config.spool, config.spool_bytes, pins=pins)
    return GrpcExporter(spool, connect, f"server {config.server}"), prompt


def _stand_back(config: Config) -> Prompt:
    """What starts threads that do not."""
    privileges.give_up_others()
    prompt = Prompt()
    priority.stand_back()
    lacking = [] if config.recorded else privileges.lacking()
    if not any(one.essential for one in lacking):  # there, the kernel refuses
        for one in lacking:
            logger.warning("without %s, for %s: %s", one.name, one.purpose, one.lacking)
    return prompt
