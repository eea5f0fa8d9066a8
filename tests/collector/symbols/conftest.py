from collections.abc import Iterator

import pytest

from collector.symbols.symbolizer import Symbolizer


@pytest.fixture
def symbolizer() -> Iterator[Symbolizer]:
    symbolizer = Symbolizer("node-a", patience_seconds=60)
    yield symbolizer
    symbolizer.close()
