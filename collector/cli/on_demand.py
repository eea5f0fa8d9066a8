"""`profiler record --on`: a profile that collectors take which run already."""

import re
from collections import Counter
from dataclasses import dataclass

import click

from collector.cli.options import lost
from profiler.cli import options
from profiler.cli.client import Client
from profiler.cli.session import Asked, Ended
from profiler.errors import UsageError
from profiler.formats import FORMATS
from profiler.timerange import SECOND

DURATION_NS = 30 * SECOND

_SELECTOR = re.compile(r"\w*\{(.*)\}")


@dataclass(frozen=True, slots=True)
class Session:
    """What to ask which server for, as it was typed."""

    server: str
    matchers: str
    event: str
    frequency_hz: int
    duration_ns: int | None


def record(wanted: Session, output: str | None, format: str | None) -> bool:
    """Whether every host took what it was asked for; what there is of it is written in any case,
    or without `output` the page's address printed."""
    name = format or options.format_by_suffix(output or "") or "folded"
    if inner := _SELECTOR.fullmatch(wanted.matchers):
        raise UsageError(f"--on takes the matchers of a selector alone: --on '{inner[1]}'")
    if output:
        options.check_writable(output)
    client = Client(wanted.server)
    asked = Asked(client, lambda line: click.echo(f"profiler: {line}", err=True))
    query = f"cpu{{{wanted.matchers}}}"
    duration_ms = (wanted.duration_ns or DURATION_NS) // (SECOND // 1000)
    ended = asked.follow(query, wanted.event, wanted.frequency_hz, f"{duration_ms}ms")
    target = output or ended.page(wanted.server)
    if output:
        data = client.download("profiles", {**ended.profile, "format": name})
        options.write(data, output, binary=FORMATS[name].binary)
    shown = f"; to {target}" if output or ended.taken else ""
    click.echo(f"profiler: {_summary(ended)}{shown}", err=True)
    if shown and not output:
        click.echo(target)
    return ended.whole


def _summary(ended: Ended) -> str:
    losses = Counter[str]()
    for host in ended.hosts:
        losses.update(host.losses)
    hosts = sum(host.taken > 0 for host in ended.hosts)
    return f"taken {ended.taken:,} samples on {hosts} of {len(ended.hosts)} hosts, {lost(losses)}"
