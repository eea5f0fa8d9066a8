"""Several servers against one database: they number the same stacks alike, without locks."""

import multiprocessing
import random
from collections import Counter

import numpy as np
import sqlalchemy as sa

from profiler.model import Profile
from server.config import TENANT
from server.ingest.ingester import Ingester
from server.store import codec, schema
from server.store.database import Database
from tests import builders
from tests.server.drains import Sender, drain, series
from tests.server.reading import read

SERVERS = 4
DRAINS = 12
SERVICES = ("checkout", "search", "cart")


def _profiles(seed: int) -> list[Profile]:
    """Of every service: some of the same few hundred stacks."""
    choose = random.Random(seed)
    return [
        series(
            *(
                f"main;f{choose.randrange(6)};g{choose.randrange(6)};h{choose.randrange(6)} 1"
                for _ in range(100)
            ),
            service=service,
        )
        for service in SERVICES
    ]


def _serve(url: str, server: int) -> None:
    """Stores drains of its own, and one that all servers are sent."""
    with Database(url) as database:
        own = Sender(Ingester(database, TENANT), collector=server)
        shared = Sender(Ingester(database, TENANT), collector=1000)
        for number in range(DRAINS):
            own.send(drain(*_profiles(seed=server * 100 + number)), sequence=number)
            shared.send(drain(*_profiles(seed=number)), sequence=number)


def test_servers_that_start_cold_at_once_agree(database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    with multiprocessing.get_context("spawn").Pool(SERVERS) as pool:
        pool.starmap(_serve, [(url, server) for server in range(1, SERVERS + 1)])

    expected: Counter[tuple[str, ...]] = Counter()
    seeds = [server * 100 + number for server in range(SERVERS + 1) for number in range(DRAINS)]
    for seed in seeds:
        for profile in _profiles(seed):
            expected.update(builders.stacks(profile))
    assert builders.stacks(read(database).profile) == expected
    assert _nodes_of_logs(database) == {
        # main, 6 f, 36 g, 216 h: all of them, each once
        service: 1 + 6 + 36 + 216
        for service in SERVICES
    }


def _nodes_of_logs(database: Database) -> dict[str, int]:
    """The nodes of each service's log, which has no gap and no doubles, parents first."""
    log, scope = schema.node_log, schema.scope
    columns = (scope.c.service, log.c.first_id, log.c.n, log.c.blob)
    segments = sa.select(*columns).select_from(log.join(scope, log.c.scope_id == scope.c.scope_id))
    sizes: dict[str, int] = {}
    seen: set[tuple[str, int, int]] = set()
    with database.read() as transaction:
        for service, first, n, blob in transaction.execute(segments.order_by(log.c.first_id)):
            assert first == sizes.get(service, 0) + 1
            parents, frames = codec.decode_nodes(blob, first)
            assert (parents < np.arange(first, first + n)).all()
            pairs = {
                (service, *pair) for pair in zip(parents.tolist(), frames.tolist(), strict=True)
            }
            assert len(pairs) == n and seen.isdisjoint(pairs)
            seen |= pairs
            sizes[service] = first + n - 1
    return sizes
