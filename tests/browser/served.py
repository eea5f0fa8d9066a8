"""`profiler serve` in a process of its own, with samples that arrived as collectors send them."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from profiler import wire
from profiler.model import Drain
from profiler.v1 import ingest_pb2_grpc
from tests.processes import PATIENCE_SECONDS, answers, eventually, free_address, running

COLLECTOR = bytes(range(16))


class Served:
    """A running server: `origin` is what stands before the paths of its URLs, `collectors` where it
    takes batches."""

    def __init__(self, http: str, grpc_address: str) -> None:
        self.origin = f"http://{http}"
        self.collectors = grpc_address
        self._sequence = 0

    def ingest(self, drains: Iterable[Drain]) -> None:
        """Returns when the last of `drains` is committed."""
        batches = []
        for drain in drains:
            self._sequence += 1
            batches.append(wire.encode(drain, COLLECTOR, self._sequence))
        with grpc.insecure_channel(self.collectors) as channel:
            stub = ingest_pb2_grpc.IngestServiceStub(channel)
            for batch in batches:  # each explains itself, so each is a stream of its own
                list(stub.Ingest(iter([batch]), timeout=PATIENCE_SECONDS))

    def get(self, path: str, **parameters: str | int) -> Any:
        return json.loads(self.text(path, **parameters))

    def text(self, path: str, **parameters: str | int) -> str:
        url = f"{self.origin}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as response:
            return str(response.read(), "utf-8")


@contextmanager
def serving(folder: Path, *more: str) -> Iterator[Served]:
    """With `more` arguments."""
    http, collectors, log = free_address(), free_address(), folder / "log"
    database = f"sqlite:///{folder}/profiler.db"
    arguments = ["serve", "--http", http, "--grpc", collectors, "--database", database]
    arguments += ["--no-maintain", *more]  # the samples are of one day, whatever today is
    with running(*arguments, log=log):
        eventually(lambda: answers(f"http://{http}/readyz"), "the server", log=log)
        assert eventually(lambda: answers(f"http://{http}/"), "the page (make web)", log=log)
        yield Served(http, collectors)
