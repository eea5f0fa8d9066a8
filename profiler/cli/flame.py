"""`profiler flame`: a flamegraph as one file."""

import click

from profiler.cli import nothing, options, sides
from profiler.cli.options import Selection
from profiler.cli.sides import Reader
from profiler.formats import PICTURES


@click.command(short_help="write a flamegraph to one HTML or SVG file")
@options.selection
@sides.of_files
@options.format(tuple(PICTURES), "By default that of the ending of -o FILE, else html.")
@options.output
def flame(
    selection: Selection, type: str | None, skip_bad_lines: bool, format: str | None, output: str
) -> None:
    """Writes a flamegraph of what SELECTOR (default: cpu) selects, which any browser opens.

    It zooms and searches without a server and a network. A file, or a quoted pattern of several,
    may stand for the SELECTOR: see `profiler convert`.

    \b
    Examples:
      profiler flame -o cpu.html                       of the last hour
      profiler flame 'cpu{service_name="checkout"}' --from now-5m -o checkout.svg
      profiler flame perf.txt -o perf.html             of a file, whatever its format
    """
    endings = {picture.suffix: name for name, picture in PICTURES.items()}
    ending = next((name for suffix, name in endings.items() if output.endswith(suffix)), "html")
    name = format or ending
    if sides.is_file(selection.query):
        reader = Reader(selection.server, selection.start, selection.end, type, skip_bad_lines)
        options.write(PICTURES[name].dumps(reader.profile(selection.query)), output)
        return
    data = selection.client.download("profiles", selection.parameters | {"format": name})
    options.write(data, output)
    if not nothing.hosts(selection):
        click.echo(nothing.said(selection), err=True)
