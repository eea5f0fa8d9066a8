"""The whole path: the real commands in processes of their own."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PATIENCE_SECONDS

SPLIT = Path(__file__).parents[1] / "collector" / "kernel" / "programs" / "split.c"


@pytest.fixture(scope="session")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that spends its time 3 : 1 in `three_quarters` and `one_quarter`."""
    compiler = shutil.which("gcc") or pytest.skip("gcc is not installed (apt-get install gcc)")
    program = tmp_path_factory.mktemp("split") / "split"
    flags = ["-O1", "-fno-omit-frame-pointer"]
    subprocess.run([compiler, *flags, "-o", program, SPLIT], check=True)
    return program


@contextmanager
def started(program: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The program runs until the block ends."""
    with subprocess.Popen([program, *arguments]) as process:
        try:
            yield process
        finally:
            process.kill()


def get(http: str, path: str, **parameters: str) -> Any:
    """The answer of the API."""
    url = f"http://{http}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as response:
        return json.load(response)
