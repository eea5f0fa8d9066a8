"""Flags that `collect` and `record` share, and what they are when read."""

import logging
import os
import socket
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from collector.config import cache_folder, default_max_cpu, parse_size
from collector.kernel.loader import CALL_GRAPHS, LOADERS
from collector.labels.containers import SOCKETS
from collector.labels.kubelet import SERVICE_ACCOUNT
from collector.labels.rules import Rule, parse_rule
from collector.labels.series import MAX_SERIES
from collector.on_demand import limits
from collector.symbols.debuginfod import Settings, read_settings
from profiler.errors import UsageError
from profiler.timerange import SECOND, parse_duration

MIN_INTERVAL_NS = 100_000_000
"""A drain swaps maps on all CPUs and writes a file; ten a second is plenty."""


def interval(text: str) -> int:
    """Nanoseconds between drains; raises UsageError."""
    duration_ns = parse_duration(text)
    if duration_ns < MIN_INTERVAL_NS:
        raise UsageError(f"{text} is shorter than 100 ms, the shortest interval")
    return duration_ns


frequency = click.option(
    "-F",
    "--frequency",
    type=int,
    metavar="HZ",
    default=99,
    show_default=True,
    help="Samples a second on each CPU; 99 keeps out of step with timers of 100 Hz.",
)
loader = click.option(
    "--loader",
    type=click.Choice(("auto", *LOADERS)),
    default="auto",
    show_default=True,
    help="How the kernel program is loaded.",
)
call_graph = click.option(
    "--call-graph",
    type=click.Choice(CALL_GRAPHS),
    default="auto",
    show_default=True,
    help="How user stacks are walked: by call frame information, or by frame pointers alone.",
)
py_spy = click.option(
    "--py-spy/--no-py-spy",
    default=True,
    show_default=True,
    help="Ask py-spy for the frames of Python interpreters that are not known otherwise, in place "
    "of their native ones.",
)
debuginfod = click.option(
    "--debuginfod",
    type=lambda urls: _debuginfod(urls),
    metavar="URLS",
    envvar="DEBUGINFOD_URLS",
    show_envvar=True,
    help="Ask these servers, separated by spaces, for the symbols of stripped programs. They are"
    " told the build-ids.",
)
event = click.option(
    "-e",
    "--event",
    metavar="EVENTS",
    multiple=True,
    default=("cpu",),
    show_default=True,
    help="What to sample, as perf spells it: cpu, off-cpu/min=1ms/, wall, page-faults, cs,"
    " cycles:u/freq=199/, cpu/event=0xc0/, sched:sched_switch, uprobe:/FILE:SYMBOL; several with"
    " commas, or again.",
)
host_name = click.option(
    "--host-name",
    metavar="NAME",
    default=socket.gethostname,
    help="The label host_name of the samples.  [default: this machine's name]",
)


class RuleType(click.ParamType[Rule]):
    """A rule as a table of TOML, in text or as a file had it."""

    name = "rule"

    def convert(self, value: Any, parameter: Any, context: Any) -> Rule:
        if isinstance(value, Rule):
            return value
        if isinstance(value, Mapping):
            return parse_rule(value)
        text = str(value).strip().removeprefix("{").removesuffix("}")
        return parse_rule(_toml(f"{{{text}}}"))

    def split_envvar_value(self, rv: str) -> Sequence[Any]:
        """The environment has them as an array."""
        tables: Sequence[Any] = _toml(rv)
        return tables if isinstance(tables, list) else [tables]


def _toml(text: str) -> Any:
    """A value of TOML; raises UsageError."""
    try:
        return tomllib.loads(f"rule = {text}")["rule"]
    except ValueError as error:
        raise UsageError(f"rule {text!r}: {error}; write 'action = \"drop\", …'") from None


rule = click.option(
    "--rule",
    type=RuleType(),
    metavar="TABLE",
    multiple=True,
    default=(),
    help="Change the labels of processes, or leave processes out: a table of TOML, again for each"
    " rule; [[collect.rule]] in a file.",
)
max_series = click.option(
    "--max-series",
    type=click.IntRange(min=1),
    metavar="N",
    default=MAX_SERIES,
    show_default=True,
    help='Sets of labels in a drain; samples beyond them go to service_name="[other]".',
)
engine_socket = click.option(
    "--engine-socket",
    type=click.Path(path_type=Path),
    metavar="PATH",
    multiple=True,
    default=SOCKETS,
    show_default=" ".join(map(str, SOCKETS)),
    help="Ask the container engine there for names and images (Kubernetes' CRI where the file is"
    " called containerd…, crio… or cri-…, else Docker's API); again for each, '' for none.",
)
pods = click.option(
    "--pods",
    metavar="FILE|URL",
    default="",
    help="Kubernetes' list of this node's pods (JSON): a file, or the kubelet, such as"
    " https://127.0.0.1:10250/pods.",
)
pods_token = click.option(
    "--pods-token",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default=SERVICE_ACCOUNT / "token",
    show_default=True,
    help="Sent to the kubelet, if it is there.",
)
pods_ca = click.option(
    "--pods-ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default=SERVICE_ACCOUNT / "ca.crt",
    show_default=True,
    help="What the kubelet's certificate is checked by; '' does not check it.",
)
max_cpu = click.option(
    "--max-cpu",
    type=click.FloatRange(min=0),
    metavar="PERCENT",
    default=default_max_cpu,
    show_default="20, or 1 for each CPU of more than 20",
    help="Of one CPU, the kernel's part included, over a minute. Beyond it the collector takes"
    " fewer samples, then reads no more symbols. 0: no bound.",
)
max_memory = click.option(
    "--max-memory",
    type=parse_size,
    metavar="SIZE",
    default="400MiB",
    show_default=True,
    help="Resident, children included. Beyond it the collector forgets what it can read again, and"
    " reads no more symbols until there is less. 0: no bound.",
)
on_demand = click.option(
    "--on-demand/--no-on-demand",
    default=True,
    show_default=True,
    help="Take closer profiles of processes for those who ask the server for one.",
)
on_demand_frequency = click.option(
    "--on-demand-frequency",
    type=click.IntRange(min=1),
    metavar="HZ",
    default=limits.FREQUENCY_HZ,
    show_default=True,
    help="Their highest rate; what is above is refused.",
)
on_demand_duration = click.option(
    "--on-demand-duration",
    "on_demand_duration_ns",
    type=parse_duration,
    metavar="DURATION",
    default=f"{limits.DURATION_NS // SECOND}s",
    show_default=True,
    help="How long each may last; what is longer is cut short.",
)
on_demand_sessions = click.option(
    "--on-demand-sessions",
    type=click.IntRange(min=1),
    metavar="N",
    default=limits.AT_ONCE,
    show_default=True,
    help="How many there may be at once.",
)
verbose = click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")


def _debuginfod(urls: str) -> Settings | None:
    """None for no servers; raises UsageError."""
    return read_settings(urls, cache_folder("debuginfod"), os.environ) if urls.split() else None


def log(verbose: bool) -> None:
    """Sends what the collector has to say to stderr, a plain line each."""
    logging.basicConfig(format="profiler: %(message)s", level=logging.WARNING)
    logging.getLogger("collector").setLevel(logging.DEBUG if verbose else logging.INFO)


def lost(losses: Mapping[str, int]) -> str:
    """`0 of them lost`, or how many by which cause."""
    causes = [f"{samples:,} {cause}" for cause, samples in sorted(losses.items()) if samples]
    return f"{sum(losses.values()):,} of them lost" + (f" ({', '.join(causes)})" if causes else "")
