import os
import threading
from contextlib import closing
from pathlib import Path

import pytest

from collector.labels.cgroup import Cgroup
from collector.labels.containers import UNKNOWN, Containers
from collector.labels.labeller import Labeller, Labelling
from collector.labels.rules import Rules, parse_rule
from collector.processes.cache import ProcessCache
from collector.processes.procfs import ProcFs
from tests.collector.labels.engine_server import container, known, serving
from tests.collector.processes.fake_proc import FakeProc

ID, OTHER_ID = "3f1c" * 16, "07ab" * 16
PATIENCE = 30.0


def of(container_id: str = ID, runtime: str = "docker") -> Cgroup:
    return Cgroup("/x", "", container_id, runtime)


def test_a_container_is_asked_for_once(tmp_path: Path) -> None:
    path = tmp_path / "engine"
    with (
        serving(path, known({ID: container()})) as asked,
        closing(Containers([path])) as containers,
    ):
        for _ in range(3):
            containers.ask(of())
            containers.settle(PATIENCE)
        assert containers.get(ID).name == "shop-1"
        assert len(asked) == 1 and containers.outcomes == {"found": 1}


def test_every_engine_is_asked_until_one_knows_it(tmp_path: Path) -> None:
    docker, podman = tmp_path / "docker", tmp_path / "podman"
    with (
        serving(docker, known({})),
        serving(podman, known({ID: container("shop-1")})),
        closing(Containers([tmp_path / "none", docker, podman])) as containers,
    ):
        containers.ask(of(runtime=""))
        containers.settle(PATIENCE)
        assert containers.get(ID).name == "shop-1"


def test_one_that_nobody_knows_is_asked_for_again_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "engine"
    some = dict[str, dict[str, object]]()
    with serving(path, known(some)) as asked, closing(Containers([path])) as containers:
        for _ in range(2):
            containers.ask(of())
            containers.settle(PATIENCE)
        assert len(asked) == 1 and containers.get(ID) == UNKNOWN
        monkeypatch.setattr("collector.labels.containers.AGAIN_NS", 0)
        some[ID] = container()
        containers.ask(of())
        containers.settle(PATIENCE)
        assert containers.get(ID).name == "shop-1"
        assert containers.outcomes == {"missing": 1, "found": 1}


@pytest.mark.parametrize("cgroup", [Cgroup("/x"), of(runtime="containerd"), of(runtime="cri-o")])
def test_what_no_engine_can_know_is_not_asked_for(cgroup: Cgroup, tmp_path: Path) -> None:
    path = tmp_path / "engine"
    with (
        serving(path, known({ID: container()})) as asked,
        closing(Containers([path])) as containers,
    ):
        containers.ask(cgroup)
        containers.settle(PATIENCE)
        assert not asked


def test_where_we_may_not_look_there_is_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: object, **given: object) -> os.stat_result:
        raise PermissionError(13, "no", path)

    containers = Containers([tmp_path / "engine"])
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", refused)
        containers.ask(of())
    assert not containers.outcomes and containers.get(ID) == UNKNOWN


def test_where_there_is_no_engine_there_is_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    containers = Containers([tmp_path / "none"])
    containers.ask(of())
    containers.settle(PATIENCE)
    assert threading.active_count() == before and not containers.outcomes


def test_a_slow_engine_keeps_nobody_waiting(tmp_path: Path) -> None:
    path, held = tmp_path / "engine", threading.Event()
    answer = known({ID: container()})

    def slow(target: str) -> bytes:
        held.wait()
        return answer(target)

    with serving(path, slow), closing(Containers([path])) as containers:
        containers.ask(of())
        containers.ask(of(OTHER_ID))
        containers.settle(0)
        assert containers.get(ID) == UNKNOWN
        held.set()
        containers.settle(PATIENCE)
        assert containers.get(ID).name == "shop-1"
        assert containers.outcomes == {"found": 1, "missing": 1}


def test_the_image_of_its_container_names_a_process(tmp_path: Path) -> None:
    path = tmp_path / "engine"
    proc = FakeProc(tmp_path / "proc")
    rule = {"source_labels": ["__container_label_team"], "target_label": "team"}
    rules = Rules((parse_rule(rule),))
    labeller = Labeller(Labelling("a", rules, engine_sockets=(path,)), ProcFs(proc.root))
    processes = ProcessCache(ProcFs(proc.root), origins=labeller.origins)
    given = known({ID: container(image="registry:5000/shop:1.4", team="red", other="x")})
    with serving(path, given), closing(labeller):
        proc.process(7, executable="/usr/bin/python3.11", cgroup=f"/docker/{ID}")
        process = processes.refresh(7)
        labeller.containers.settle(PATIENCE)
        labeller.begin_drain()
        labels = dict(labeller.labels(process, "t") or ())
    del labels["host_arch"], labels["os_version"]
    assert labels == {
        "host_name": "a",
        "service_name": "shop",
        "service_version": "1.4",
        "container_name": "shop-1",
        "container_image_name": "registry:5000/shop",
        "container_image_tag": "1.4",
        "process_executable_name": "python3.11",
        "team": "red",
    }
