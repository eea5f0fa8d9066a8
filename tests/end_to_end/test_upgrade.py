"""Both are stopped and started again, as when a node and its server get a new version."""

import re
from pathlib import Path

from tests.end_to_end.conftest import get
from tests.processes import answers, eventually, free_address, running


def test_every_sample_arrives_once_across_an_upgrade(tmp_path: Path) -> None:
    """The server is killed with batches on their way, the collector stopped while it is away; the
    next collector sends what waits, and what the server may have had already."""
    http, grpc, spool = free_address(), free_address(), tmp_path / "spool"
    database = f"sqlite:///{tmp_path}/p.db"
    serve = ["serve", "--http", http, "--grpc", grpc, "--database", database]
    collect = ["collect", "--server", grpc, "--spool", str(spool), "--recorded", "demo"]
    served, said = tmp_path / "serve.log", tmp_path / "collect.log"

    def stored() -> int | None:
        return get(http, "flamegraph", query="cpu")["accounts"]["stored"] or None

    def waiting() -> int:
        return len(list(spool.glob("*.batch")))

    with running(*serve, log=served, cwd=tmp_path) as server:
        eventually(lambda: answers(f"http://{http}/readyz"), "the server is ready", served)
        with running(*collect, "--repeat", "--interval", "100ms", log=said):
            eventually(stored, "samples", said)
            server.kill()
            eventually(lambda: waiting() > 3 or None, "batches that wait", said)
    assert waiting() > 3
    with running(*serve, log=served, cwd=tmp_path):
        eventually(lambda: answers(f"http://{http}/readyz"), "the server is ready", served)
        with running(*collect, log=said) as collector:
            assert collector.wait(60) == 0
        accounts = get(http, "flamegraph", query="cpu")["accounts"]
    counts = re.findall(r"taken ([\d,]+) samples, 0 of them lost", said.read_text())
    assert len(counts) == 2, said.read_text()
    taken = sum(int(count.replace(",", "")) for count in counts)
    assert accounts == {"taken": taken, "stored": taken, "losses": []}
    assert waiting() == 0
