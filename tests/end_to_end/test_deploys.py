"""Two versions of a service on this kernel, one after the other, in control groups that look like
those of a container engine, and in a unit without a version."""

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.collector.conftest import slice_
from tests.collector.labels.engine_server import container, known, serving
from tests.collector.labels.test_live import NEW, OLD
from tests.end_to_end.conftest import SPLIT, get
from tests.processes import eventually, free_address, running

pytestmark = pytest.mark.kernel

__all__ = ["slice_"]

BUILD_ID = "0123456789abcdef" * 2


@contextmanager
def started_in(group: Path, program: Path) -> Iterator[None]:
    """The program runs in the control group until the block ends, and leaves the CPU to others."""
    group.mkdir(exist_ok=True)
    enter = f"echo $$ > {shlex.quote(str(group))}/cgroup.procs"
    command = ["sh", "-c", f"{enter} && exec nice -n 19 {shlex.quote(str(program))}"]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.kill()


def test_another_version_is_another_value_and_a_deploy_within_a_drain(
    slice_: Path, split: Path, tmp_path: Path
) -> None:
    http, log, engine = free_address(), tmp_path / "log", tmp_path / "engine"
    database, grpc = f"sqlite:///{tmp_path}/p.db", free_address()
    serve = ["serve", "--http", http, "--grpc", grpc, "--database", database]
    collect = ["collect", "--server", grpc, "--interval", "1s", "--spool", str(tmp_path / "spool")]
    collect += ["--engine-socket", str(engine), "--host-name", "a"]
    unit = slice_ / "till.service"
    rebuilt = tmp_path / split.name
    flags = ["-O1", "-fno-omit-frame-pointer", f"-Wl,--build-id=0x{BUILD_ID}"]
    subprocess.run(["gcc", *flags, "-o", rebuilt, SPLIT], check=True)

    def versions(service: str) -> dict[str, int]:
        """Samples by version."""
        found = get(http, "series", query=f'cpu{{service_name="{service}"}}')["series"]
        return {one["labels"].get("service_version", ""): one["samples"] for one in found}

    def deploys(service: str) -> list[Any]:
        found: list[Any] = get(http, "deploys", service=service)["deploys"]
        return found

    @contextmanager
    def both(image: str, program: Path) -> Iterator[None]:
        """The program runs in a container and in the unit."""
        with started_in(slice_ / f"docker-{image}.scope", program), started_in(unit, program):
            yield

    containers = {OLD: container(image="shop:1.0"), NEW: container(image="shop:1.1")}
    with (
        serving(engine, known(containers)),
        running(*serve, log=log, cwd=tmp_path),
        running(*collect, log=log, cwd=tmp_path),
    ):
        with both(OLD, split):
            eventually(lambda: versions("shop").get("1.0"), "the old version", log)
            eventually(lambda: versions("till"), "the unit", log)
            assert deploys("shop") == deploys("till") == []
        with both(NEW, rebuilt):
            eventually(lambda: versions("shop").get("1.1"), "the new version", log)
            (shop,) = deploys("shop")  # in the transaction of its first samples
            (till,) = eventually(lambda: deploys("till") or None, "the new build", log)
        assert set(versions("shop")) == {"1.0", "1.1"}
    assert (shop["previous"], shop["version"]) == ("1.0", "1.1")
    assert (shop["host"], shop["hosts"], shop["executable"]) == ("a", 1, "")
    assert (till["version"], till["executable"]) == (BUILD_ID[:12], split.name)
