"""`profiler config`: what is in force, and where it came from."""

import json
import os
import re

import click
from click.core import ParameterSource

from profiler.cli import cli
from profiler.cli.settings import Settings, apply, flag, variables
from profiler.errors import UsageError

DEFAULT = "default"
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_PASSWORD = re.compile(r"(://[^:@/]*:)[^@/]*(?=@)")


@click.command(short_help="show what is configured, and where")
@click.argument("commands", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def config(context: click.Context, commands: tuple[str, ...]) -> None:
    """Prints the options of every COMMAND (default: all) with their values and sources.

    The output is a configuration file itself. Passwords in URLs are not shown.

    \b
    Examples:
      profiler config
      profiler config collect serve
      PROFILER_COLLECT_FREQUENCY=199 profiler config collect
      profiler config > profiler.toml && profiler --config profiler.toml serve
    """
    root = context.find_root()
    settings: Settings = root.obj
    file = str(settings.path) + ("" if settings.exists else " (not there)")
    click.echo(f"# flags > environment > {file} > defaults")
    for name in commands or cli.list_commands(root):
        command = cli.get_command(root, name)
        if command is None:
            raise UsageError(f"no command is named {name}")
        apply(root, cli.names(), command)
        lines = _lines(command, name, root, settings)
        if lines:
            click.echo("\n".join(["", f"[{name}]", *lines]))


def _lines(command: click.Command, name: str, root: click.Context, settings: Settings) -> list[str]:
    context = command.make_context(name, [], parent=root, resilient_parsing=True)
    lines = []
    for option in command.params:
        if not isinstance(option, click.Option) or not option.name or option.is_eager:
            continue
        written, origin = _written(context, option, settings)
        if context.params.get(option.name) is not None:
            lines.append(f"{flag(option)} = {_toml(written)}  # {origin}")
        elif origin == DEFAULT:
            lines.append(f"# {flag(option)} is not set")
        else:
            lines.append(f"# {flag(option)} has no valid value  # {origin}")
    return lines


def _written(
    context: click.Context, option: click.Option, settings: Settings
) -> tuple[object, str]:
    """The option's value as it was written, before it was read as `10s` or `1GiB`; and where."""
    match context.get_parameter_source(option.name or ""):
        case ParameterSource.ENVIRONMENT:
            names = variables(option, context.command.name or "")
            name = next(name for name in names if os.environ.get(name))
            text = os.environ[name]
            value = option.type.split_envvar_value(text) if option.multiple else text
            return value, f"environment: {name}"
        case ParameterSource.DEFAULT_MAP:
            table = settings.tables[context.command.name or ""]
            return table[flag(option)], str(settings.path)
        case _:
            return option.get_default(context), DEFAULT


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name)


def _toml(value: object) -> str:
    """A value of an option as TOML has it; JSON's strings, numbers and lists are TOML's too."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        pairs = (f"{_key(key)} = {_toml(each)}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    return json.dumps(_PASSWORD.sub(r"\1***", str(value)), ensure_ascii=False)
