import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.labels.labeller import MAX_VALUE, Labeller, Labelling
from collector.labels.rules import Rules, parse_rule
from collector.processes.cache import ProcessCache
from collector.processes.procfs import ProcFs
from profiler.wire import limits
from tests.collector.processes.fake_proc import FakeProc

ID = "3f1c" * 16


class Node:
    """A fake /proc, and who labels what runs there."""

    def __init__(self, root: Path, *rules: dict[str, object], max_series: int = 1000) -> None:
        self.proc = FakeProc(root)
        parsed = Rules(tuple(map(parse_rule, rules)))
        procfs = ProcFs(root)
        self.labeller = Labeller(Labelling("node-a", parsed, max_series), procfs)
        self.processes = ProcessCache(procfs, origins=self.labeller.origins)
        self.labeller.begin_drain()

    def labels(self, pid: int, thread: str = "thread") -> dict[str, str] | None:
        found = self.labeller.labels(self.processes.refresh(pid), thread)
        assert found is None or list(found) == sorted(found)
        return None if found is None else dict(found)

    def service(self, pid: int, thread: str = "thread") -> str:
        return (self.labels(pid, thread) or {})["service_name"]


def test_what_is_known_of_the_host_and_the_process_is_its_labels(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.proc.process(7, cgroup=f"/docker/{ID}", environment="DD_SERVICE=shop DD_VERSION=1 X=2")
    uname = os.uname()
    labels = node.labels(7) or {}
    arch = labels.pop("host_arch")
    assert arch == {"x86_64": "amd64", "aarch64": "arm64"}.get(uname.machine, arch)
    assert labels == {
        "host_name": "node-a",
        "os_version": uname.release,
        "container_id": ID,
        "process_executable_name": "web",
        "service_name": "shop",
        "service_version": "1",
    }


def test_the_executable_names_a_service_and_kernel_threads_are_the_kernel(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.proc.process(7, "worker-3", "/srv/web")
    node.proc.kernel_thread(8, "kworker/0:1")
    assert [node.service(pid) for pid in (7, 8, 0, 99)] == ["web", "kernel", "kernel", "thread"]


def test_arguments_and_environment_are_seen_by_the_rules_that_name_them(tmp_path: Path) -> None:
    node = Node(
        tmp_path,
        {"source_labels": ["__environment_TEAM"], "target_label": "team"},
        {
            "source_labels": ["__command_line"],
            "regex": r".*--role (\w+).*",
            "target_label": "service_name",
        },
        {"source_labels": ["__uid"], "target_label": "uid"},
        {"source_labels": ["__resource_service_instance_id"], "target_label": "instance"},
    )
    variables = "TEAM=red SECRET=1 OTEL_RESOURCE_ATTRIBUTES=service.instance.id=i-1"
    arguments = b"web\0--role\0backend\0--token\0hush\0"
    node.proc.process(7, environment=variables, command_line=arguments)
    labels = node.labels(7) or {}
    assert (labels["team"], labels["service_name"]) == ("red", "backend")
    assert (labels["uid"], labels["instance"]) == (str(os.getuid()), "i-1")
    assert not {"1", "hush"} & set(" ".join(labels.values()).split())


def test_no_rule_sees_what_none_names(tmp_path: Path) -> None:
    everything: dict[str, object] = {
        "action": "labelmap",
        "regex": "_*(.*)",
        "replacement": "x_$1",
    }
    node = Node(tmp_path, everything)
    node.proc.process(7, environment="SECRET=hush DD_SERVICE=a", command_line=b"web\0hush\0")
    assert "hush" not in str(node.labels(7))
    origin = node.processes.refresh(7).origin
    assert origin and origin.environment == (("DD_SERVICE", "a"),)


def test_rules_leave_processes_out(tmp_path: Path) -> None:
    node = Node(
        tmp_path, {"action": "drop", "source_labels": ["service_name"], "regex": "secret-.*"}
    )
    node.proc.process(7, executable="/srv/secret-job")
    node.proc.process(8)
    for _ in range(2):
        assert node.labels(7) is None and node.service(8) == "web"
    assert [node.labeller.excludes(node.processes.refresh(pid)) for pid in (7, 8)] == [True, False]


def test_labels_stay_within_what_the_wire_takes(tmp_path: Path) -> None:
    names = [f"A{number}" for number in range(100)]
    node = Node(tmp_path, {"action": "labelmap", "regex": "__environment_(A.*)"})
    long = "é" * 500
    node.proc.process(7, environment=" ".join(f"{name}={long}" for name in names))
    labels = node.labels(7) or {}
    assert len(labels) == limits.LABELS
    assert len(labels["A1"]) == MAX_VALUE
    assert len(labels["A1"].encode()) <= limits.LABEL_BYTES


def test_what_has_no_place_in_a_drain_is_the_series_of_all_others(tmp_path: Path) -> None:
    node = Node(tmp_path, max_series=2)
    for pid in range(1, 6):
        node.proc.process(pid, executable=f"/srv/job-{pid}")
    assert [node.service(pid) for pid in range(1, 6)] == ["job-1", "job-2", *["[other]"] * 3]
    assert node.labels(5) == {"host_name": "node-a", "service_name": "[other]"}
    assert node.labels(5) == dict(node.labeller.other)


# --- build-ids --------------------------------------------------------------------------------


@pytest.fixture
def sleeping(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    program = tmp_path / "nap"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as process:
        while Path(f"/proc/{process.pid}/exe").readlink().name != "nap":
            pass
        yield process
        process.kill()


def test_the_executables_build_id_is_the_version_of_what_it_names(
    sleeping: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    notes = subprocess.run(["readelf", "-n", tmp_path / "nap"], stdout=subprocess.PIPE, text=True)
    labeller = Labeller(Labelling("a"), ProcFs())
    processes = ProcessCache(ProcFs(), origins=labeller.origins)
    labeller.begin_drain()
    process = processes.refresh(sleeping.pid)
    labels = dict(labeller.labels(process, "t") or ())
    build_id = labels["process_executable_build_id_gnu"]
    assert len(build_id) >= 16 and f"Build ID: {build_id}" in notes.stdout
    sleeping.kill()
    sleeping.wait()
    (tmp_path / "nap").unlink()
    for _ in range(2):
        labeller.begin_drain()
        gone = processes.refresh(sleeping.pid)
        assert dict(labeller.labels(gone, "t") or ()) == labels and not gone.alive
