import os
import sys

import pytest

from collector.kernel.command import Command
from profiler.errors import UsageError


def test_a_command_does_nothing_before_it_is_resumed(capfd: pytest.CaptureFixture[str]) -> None:
    with Command(["echo", "a b", "*"]) as command:
        assert capfd.readouterr().out == ""
        command.resume()
        assert command.wait() == 0
    assert capfd.readouterr().out == "a b *\n"


def test_the_exit_code_is_that_of_the_command() -> None:
    with Command([sys.executable, "-c", "raise SystemExit(7)"]) as command:
        command.resume()
        assert command.wait() == 7


def test_leaving_ends_a_command_that_still_runs_or_never_ran() -> None:
    for resumed in (True, False):
        with Command(["sleep", "60"]) as command:
            if resumed:
                command.resume()
        with pytest.raises(ProcessLookupError):
            os.kill(command.pid, 0)


@pytest.mark.parametrize("arguments", [[], ["no-such-program", "-x"]])
def test_a_command_that_does_not_exist_is_named(arguments: list[str]) -> None:
    with pytest.raises(UsageError, match=r"no such command: (no-such-program|.nothing.)$"):
        Command(arguments)
