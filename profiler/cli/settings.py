"""Where options come from: flags > environment (PROFILER_…) > one TOML file > defaults.

    # /etc/profiler/profiler.toml: a table a command, a key a flag
    [collect]
    server = "profiler.example.org:8441"
    frequency = 99

click does the work: the file becomes its `default_map`. What this adds is that a key that no
command has is an error, for a misspelt limit must not be no limit.
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

Tables = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Settings:
    """The file and what it says, by command and by the name of the option."""

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
    context.default_map = {name: dict(table) for name, table in context.obj.tables.items()}


option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_load,
    help=f"A TOML file, a table a command, a key a flag.  [default: {DEFAULT_FILE}]",
)
"""--config of the whole command: leaves Settings in `context.obj`."""


def check(settings: Settings, commands: Collection[str], called: click.Command, name: str) -> None:
    """Raises UsageError for a table of none of the `commands`, or a key unknown to the one
    that is `called` by `name`."""
    for table in settings.tables.keys() - set(commands):
        raise UsageError(f"{settings.path}: no command is named {table}")
    known = {option.name for option in called.params if isinstance(option, click.Option)}
    for key in settings.tables.get(name, {}).keys() - known:
        raise UsageError(
            f"{settings.path}: `{name}` has no option {key}; "
            f"it has {', '.join(sorted(filter(None, known)))}"
        )
