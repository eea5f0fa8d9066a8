from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.symbols.symbolizer import Symbolizer
from tests.collector.symbols.programs import C_SOURCE, compiled


@pytest.fixture(scope="session")
def c_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """C_SOURCE with optimization and DWARF, position-independent."""
    return compiled(tmp_path_factory.mktemp("c") / "shop", C_SOURCE, "-O2", "-g", "-pie", "-fPIE")


@pytest.fixture
def symbolizer() -> Iterator[Symbolizer]:
    symbolizer = Symbolizer("node-a", patience_seconds=60)
    yield symbolizer
    symbolizer.close()
