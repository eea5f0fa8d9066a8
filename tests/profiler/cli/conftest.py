from collections.abc import Callable, Iterator

import pytest

from profiler.cli import main
from tests.profiler.cli.fake_server import FakeServer, serving

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving() as fake:
        yield fake


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `profiler` with arguments: its exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run
