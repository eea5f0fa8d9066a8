"""The `profiler` command. Subcommands are entry points, so that each package brings its own.

    [project.entry-points."profiler.commands"]
    serve = "server.cli.serve:serve"

A command whose extra is not installed (on a node with only the `[collector]` extra) does not
stand in the help, and says on one line what to install when it is called.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from profiler.cli import settings
from profiler.cli.terminal import printable
from profiler.errors import ProfilerError, UsageError

GROUP = "profiler.commands"
OURS = ("profiler", "collector", "server")
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
MISTAKE = 70
"""EX_SOFTWARE of sysexits(3): of ours. Python's 1 would be a regression to `check`."""
NO_READER = 141
"""128 + SIGPIPE, likewise: 1 would be a regression to whoever pipes what `check` prints."""


class _NoReader(Exception):
    """Who read our output has gone. Of a BrokenPipeError click makes an exit with 1."""


class Commands(click.Group):
    """A group that loads a subcommand when it is used, and hides what cannot be loaded."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _NoReader from None

    def names(self) -> set[str]:
        """All commands, those whose extra is not installed too."""
        return entry_points(group=GROUP).names

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(entry.name for entry in entry_points(group=GROUP) if _loads(entry))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        for entry in entry_points(group=GROUP, name=name):
            return _load(entry)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and name is not None:
            settings.apply(ctx, self.names(), command)
        return name, command, rest


def _load(entry: EntryPoint) -> click.Command:
    """The command; UsageError where a package that its extra brings is not installed."""
    try:
        command: click.Command = entry.load()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in OURS:
            raise
        extra = next(iter(entry.extras), entry.module.partition(".")[0])
        raise UsageError(
            f"`{entry.name}` needs the {extra} extra ({missing} is not installed): "
            f"pip install 'profiler[{extra}]'"
        ) from None
    command.name = entry.name
    for option in command.params:
        if isinstance(option, click.Option):
            option.envvar = settings.variables(option, entry.name)
    return command


def _loads(entry: EntryPoint) -> bool:
    try:
        _load(entry)
    except UsageError:
        return False
    return True


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="profiler")
@settings.option
def cli() -> None:
    """A continuous profiler: eBPF samples, exact flamegraphs, weeks of history.

    \b
    Examples:
      profiler up                                   profile this machine, open the page
      profiler record -o out.folded -- make         a flamegraph of one command
      profiler query 'cpu{host_name="a"}' --from now-1h

    Every flag can also stand in the environment (PROFILER_COLLECT_FREQUENCY=199) or in a file;
    `profiler config` shows what is in force.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; an error is one line on stderr and its own exit code."""
    try:
        given = None if arguments is None else list(arguments)
        code = cli.main(args=given, prog_name="profiler", standalone_mode=False)
    except ProfilerError as error:
        click.echo("profiler: " + "\n".join(map(printable, str(error).split("\n"))), err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        code = INTERRUPTED
    except _NoReader:
        # Nor shall the interpreter try to flush it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = NO_READER
    except Exception:
        traceback.print_exc()
        code = MISTAKE
    sys.exit(code)
