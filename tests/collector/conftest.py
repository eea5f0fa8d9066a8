"""What tests of several of the collector's parts stand on."""

import signal
from collections.abc import Iterator

import pytest

from tests.collector.delivery.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """Gives the handlers of the test's own process back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)
