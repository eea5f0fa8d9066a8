"""A server that kills itself, as power or the kernel would, at one moment of its first batch.

    python -m tests.server.ingest.killed sqlite:///profiler.db committed

Prints the address for collectors. The moments: `inserted`, when all rows of the batch are written
and nothing is committed; `committed`, when all is and the acknowledgement is not yet sent.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from server.app import Server
from server.ingest.ingester import Ingester
from server.store import hot
from tests.server.client import config


def main(url: str, moment: str) -> None:
    if moment == "inserted":
        hot.add = _deadly(hot.add)
    else:
        Ingester.store_all = _deadly(Ingester.store_all)  # type: ignore[method-assign]
    with Server(config(url)) as server:
        print(server.grpc_address, flush=True)
        threading.Event().wait()


def _deadly(function: Callable[..., Any]) -> Callable[..., Any]:
    def then_die(*arguments: Any) -> None:
        function(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    return then_die


if __name__ == "__main__":
    main(*sys.argv[1:])
