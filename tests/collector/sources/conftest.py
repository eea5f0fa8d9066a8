"""The programs that the tests of the live source sample."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.collector.kernel.conftest import PROGRAMS, compiler


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Compiles a program as distributions do: optimised, without frame pointers."""
    programs = tmp_path_factory.mktemp("programs")

    def compiled(name: str) -> Path:
        flags = ("-O2", "-fomit-frame-pointer", "-fno-optimize-sibling-calls")
        source, binary = PROGRAMS / f"{name}.c", programs / name
        if not binary.exists():
            subprocess.run([compiler(), *flags, "-o", binary, source], check=True)
        return binary

    return compiled
