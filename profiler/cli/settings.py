"""Where options come from: flags > environment (PROFILER_…) > one TOML file > defaults.

    # /etc/profiler/profiler.toml: a table a command, a key a flag
    [collect]
    server = "profiler.example.org:8441"
    frequency = 99

click does the work: the file becomes its `default_map`. What this adds is that a key that is no
flag is an error, for a misspelt limit must not be no limit.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from profiler.errors import UsageError

DEFAULT_FILE = Path("/etc/profiler/profiler.toml")
"""Read where it exists."""

PREFIX = "PROFILER"

Tables = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Settings:
    """The file and what it says, by command and by flag, dashes as underscores."""

    path: Path
    exists: bool
    tables: Tables


def read(path: Path, *, required: bool) -> Settings:
    """The settings of a TOML file; without it none, unless it is `required`."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if required:
            raise UsageError(f"no configuration file {path}") from None
        return Settings(path, False, {})
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:  # TOML's mistakes and those of UTF-8
        raise UsageError(f"{path}: {error}") from None
    tables = {}
    for command, table in document.items():
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {command} stands in no table; write it below [COMMAND]")
        tables[command] = {key.replace("-", "_"): value for key, value in table.items()}
    return Settings(path, True, tables)


def _load(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    context.obj = read(path or DEFAULT_FILE, required=path is not None)


option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    envvar=f"{PREFIX}_CONFIG",
    is_eager=True,
    expose_value=False,
    callback=_load,
    help=f"A TOML file, a table a command, a key a flag.  [default: {DEFAULT_FILE}]",
)
"""--config of the whole command: leaves Settings in `context.obj`."""


def flag(option: click.Option) -> str:
    """The option's long flag as files and the environment spell it: `spool_size`."""
    return max(option.opts, key=len).lstrip("-").replace("-", "_")


def variables(option: click.Option, command: str) -> list[str]:
    """The environment variables of an option: its own, then PROFILER_COMMAND_FLAG."""
    own = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
    general = f"{PREFIX}_{command}_{flag(option)}".upper()
    return own if general in own else [*own, general]


def apply(context: click.Context, commands: Collection[str], command: click.Command) -> None:
    """Gives `command` the defaults of its table, below `context`, which is that of the group.

    Raises UsageError for a table of none of the `commands`, or a key that is no flag.
    """
    settings: Settings = context.obj
    for table in settings.tables.keys() - set(commands):
        raise UsageError(f"{settings.path}: no command is named {table}")
    name = command.name or ""
    known = {flag(each): each.name for each in command.params if isinstance(each, click.Option)}
    given = settings.tables.get(name, {})
    for key in given.keys() - known.keys():
        raise UsageError(
            f"{settings.path}: `{name}` has no flag {key}; it has {', '.join(sorted(known))}"
        )
    context.default_map = {name: {known[key]: _typed(value) for key, value in given.items()}}


def _typed(value: object) -> object:
    """A value of TOML as it would be typed: options read text, flags, lists and tables what they
    are."""
    if isinstance(value, list):
        return [_typed(each) for each in value]
    return value if isinstance(value, bool | dict) else str(value)
