"""The `profiler` command. Subcommands are entry points, so that each package brings its own.

    [project.entry-points."profiler.commands"]
    serve = "server.cli.serve:serve"

A command whose package is not installed (a node with only the `[collector]` extra) is not there.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

import click

from profiler.errors import ProfilerError

GROUP = "profiler.commands"


class Commands(click.Group):
    """A group that loads a subcommand when it is used, and hides what cannot be loaded."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(entry.name for entry in entry_points(group=GROUP) if _loads(entry))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        for entry in entry_points(group=GROUP, name=name):
            command = _load(entry)
            if command is not None:
                return command
        return None


def _load(entry: EntryPoint) -> click.Command | None:
    try:
        command: click.Command = entry.load()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("profiler", "collector", "server"):
            raise
        return None
    return command


def _loads(entry: EntryPoint) -> bool:
    return _load(entry) is not None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="profiler")
def cli() -> None:
    """A continuous profiler: eBPF samples, exact flamegraphs, weeks of history.

    \b
    Examples:
      profiler up                                   profile this machine, open the page
      profiler record -o out.folded -- make         a flamegraph of one command
      profiler query 'cpu{host_name="a"}' --from now-1h
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; ends with a ProfilerError's own exit code and its one line."""
    try:
        cli.main(args=None if arguments is None else list(arguments), standalone_mode=True)
    except ProfilerError as error:
        click.echo(f"profiler: {error}", err=True)
        sys.exit(error.exit_code)
