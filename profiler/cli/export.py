"""`profiler export`: the profile of a selector and a range as a file."""

import click

from profiler.cli import nothing, options, sides
from profiler.cli.convert import dumped
from profiler.cli.options import Selection
from profiler.cli.sides import Reader
from profiler.formats import FORMATS


@click.command(short_help="write a profile to a file")
@options.selection
@sides.of_files
@options.format(tuple(FORMATS), "The file's format; by default that of FILE's ending, else folded.")
@options.value
@options.output
def export(
    selection: Selection,
    type: str | None,
    skip_bad_lines: bool,
    format: str | None,
    value: str,
    output: str,
) -> None:
    """Writes what SELECTOR (default: cpu) selects, merged into one profile.

    A file, or a quoted pattern of several, may stand for the SELECTOR: see `profiler convert`.

    \b
    Examples:
      profiler export                                  folded stacks of the last hour
      profiler export 'cpu{host_name="a"}' --from now-5m -o cpu.pb.gz
      profiler export cpu --format folded -o - | grep schedule
      profiler export cpu -o cpu.speedscope.json       for https://www.speedscope.app
    """
    name = format or options.format_by_suffix(output) or "folded"
    if sides.is_file(selection.query):
        reader = Reader(selection.server, selection.start, selection.end, type, skip_bad_lines)
        data = dumped(reader.profile(selection.query), name, value)
        options.write(data, output, binary=FORMATS[name].binary)
    else:
        download(selection, name, output, value)


def download(selection: Selection, format: str, output: str, value: str = "samples") -> None:
    """Writes the selected profile in `format`; says on stderr where it has no samples."""
    parameters = selection.parameters | {"format": format}
    if format == "folded":
        parameters["value"] = value
    data = selection.client.download("profiles", parameters)
    options.write(data, output, binary=FORMATS[format].binary)
    if not data:
        click.echo(nothing.said(selection), err=True)
