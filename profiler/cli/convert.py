"""`profiler convert`: a profile from one format into another."""

import click

from profiler.cli import options, sides
from profiler.cli.sides import Reader
from profiler.formats import FORMATS, folded
from profiler.model import Profile


@click.command(short_help="turn a profile into another format")
@sides.reading
@click.argument("source", metavar="A")
@click.argument("target", metavar="B")
@options.format(tuple(FORMATS), "The format of B; by default that of its ending, else folded.")
@options.value
def convert(reader: Reader, source: str, target: str, format: str | None, value: str) -> None:
    """Reads the profile A and writes it as B, in the format of B's ending.

    A is a file of any format that we read, found by what it holds: folded stacks, pprof,
    speedscope, a recording, the text of `perf script`, gzipped or not. It may also be several
    (a directory, a quoted pattern), which are added, or a SELECTOR of a server's. - is the standard
    input or output.

    \b
    Examples:
      profiler convert cpu.pb.gz cpu.folded
      perf script | profiler convert - profile.speedscope.json
      profiler convert 'runs/*.pb.gz' all.pb.gz
      profiler convert 'cpu{service_name="checkout"}' checkout.pb.gz --from now-1d
    """
    name = format or options.format_by_suffix(target) or "folded"
    options.write(dumped(reader.profile(source), name, value), target, binary=FORMATS[name].binary)


def dumped(profile: Profile, format: str, value: str) -> bytes:
    """`value` is what folded counts: `samples`, or `value` in the unit of the type. Where a file
    did not say how many samples there are, there is only the value."""
    if format != "folded":
        return FORMATS[format].dumps(profile)
    counted = value == "samples" and profile.total_samples
    return folded.dumps(profile, "samples" if counted else "value")
