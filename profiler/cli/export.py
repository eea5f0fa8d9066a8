"""`profiler export`: the profile of a selector and a range as a file."""

import click

from profiler.cli import options
from profiler.cli.options import Selection
from profiler.formats import FORMATS


@click.command(short_help="write a profile to a file")
@options.selection
@options.format(tuple(FORMATS), "The file's format; by default that of FILE's ending, else folded.")
@click.option(
    "--value",
    type=click.Choice(("samples", "value")),
    default="samples",
    show_default=True,
    help="What folded counts: samples, or the unit of the type (nanoseconds for cpu).",
)
@options.output
def export(selection: Selection, format: str | None, value: str, output: str) -> None:
    """Writes what SELECTOR (default: cpu) selects, merged into one profile.

    \b
    Examples:
      profiler export                                  folded stacks of the last hour
      profiler export 'cpu{host_name="a"}' --from now-5m -o cpu.pb.gz
      profiler export cpu --format folded -o - | grep schedule
      profiler export cpu -o cpu.speedscope.json       for https://www.speedscope.app
    """
    name = format or options.format_by_suffix(output) or "folded"
    download(selection, name, output, value)


def download(selection: Selection, format: str, output: str, value: str = "samples") -> None:
    """Writes the selected profile in `format`; says on stderr where it has no samples."""
    parameters = selection.parameters | {"format": format}
    if format == "folded":
        parameters["value"] = value
    data = selection.client.download("profiles", parameters)
    options.write(data, output, binary=FORMATS[format].binary)
    if not data:
        click.echo(
            f"no samples of {selection.query} from {selection.start} to {selection.end}", err=True
        )
