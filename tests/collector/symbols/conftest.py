from collections.abc import Iterator

import pytest

from collector.labels.labeller import Labelling
from collector.symbols.symbolizer import Symbolizer


@pytest.fixture
def symbolizer() -> Iterator[Symbolizer]:
    symbolizer = Symbolizer(Labelling("node-a"), patience_seconds=60)
    yield symbolizer
    symbolizer.close()
