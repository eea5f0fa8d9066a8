"""What tests of several of the collector's parts stand on."""

from collections.abc import Iterator

import pytest

from tests.collector.delivery.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.stop()
