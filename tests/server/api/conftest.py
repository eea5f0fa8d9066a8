"""A server with a small fleet in it, for tests that only ask."""

from collections.abc import Iterator

import pytest

from profiler.model import Drain, ProfileType
from server.app import Server
from tests.server.client import config, send_all
from tests.server.drains import MIDNIGHT, TEN_SECONDS, drain, series

FAULTS = ProfileType("page_faults", "count")


def fleet() -> dict[str, list[Drain]]:
    """By host: two of them, three drains each, with losses."""
    return {
        host: [
            drain(
                series(
                    f"thread:worker;main;work {30 + number}",
                    "thread:worker;main;read;do_read_[k] 5",
                    "thread:worker;[truncated: depth];recurse;recurse 2",
                    host=host,
                ),
                series("thread:kworker;idle_work_[k] 1", host=host, service="kernel"),
                host=host,
                start_ns=MIDNIGHT + number * TEN_SECONDS,
                losses={"ring_full": 3} if host == "b" else {},
            )
            for number in range(3)
        ]
        for host in ("a", "b")
    }


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"sqlite:///{tmp_path_factory.mktemp('api')}/profiler.db"
    with Server(config(url)) as server:
        for collector, (_, drains) in enumerate(fleet().items(), 1):
            send_all(server.grpc_address, drains, collector)
        yield server.http_address
