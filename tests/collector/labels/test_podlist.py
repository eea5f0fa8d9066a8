import json
import logging
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from collector.labels.cgroup import Cgroup
from collector.labels.engine import Failed
from collector.labels.facts import Pod
from collector.labels.kubelet import Access, fetch, read_file
from collector.labels.labeller import Labeller, Labelling
from collector.labels.podlist import TRIES, PodList
from collector.processes.cache import ProcessCache
from collector.processes.procfs import ProcFs
from tests.collector.labels.test_pods import ID, POD, UID
from tests.collector.processes.fake_proc import FakeProc

LIST = json.dumps({"items": [POD]})
OF_POD = Cgroup("/x", "", ID, "containerd", UID)
PATIENCE = 30.0
NOBODY = Access(None, None)


class Kubelet(ThreadingHTTPServer):
    """Answers /pods; /moved leads there, /slow never ends."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.ended = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, path: str = "/pods", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Kubelet

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        if self.path == "/slow":
            self.server.ended.wait()
        self.send_response({"/pods": 200, "/moved": 302}.get(self.path, 403))
        self.send_header("Location", "/pods")
        self.end_headers()
        self.wfile.write(LIST.encode())

    def log_message(self, format: str, *arguments: object) -> None: ...


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Kubelet]:
    kubelet = Kubelet()
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        kubelet.socket = context.wrap_socket(kubelet.socket, server_side=True)
    thread = threading.Thread(target=kubelet.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield kubelet
    finally:
        kubelet.ended.set()
        kubelet.shutdown()
        thread.join()
        kubelet.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1, signed by itself, as kubelets have them."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl: apt-get install openssl")
    path = tmp_path_factory.mktemp("tls") / "kubelet.pem"
    out = ["-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
    name = ["-subj", "/CN=kubelet", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *out, *name],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


def test_a_file_is_read_when_a_pod_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "pods.json"
    path.write_text(LIST)
    with closing(PodList(str(path), NOBODY)) as pods:
        for _ in range(3):
            pods.ask(OF_POD)
            pods.settle(PATIENCE)
        assert pods.get(UID).service == "shop"
        assert pods.container(ID).name == "app"
        assert pods.outcomes == {"ok": 1}


def test_the_list_is_not_read_again_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pods.json"
    with closing(PodList(str(path), NOBODY)) as pods, caplog.at_level(logging.WARNING):
        for _ in range(3):
            pods.ask(OF_POD)
            pods.settle(PATIENCE)
        assert pods.outcomes == {"missing": 1} and pods.get(UID) == Pod()
        monkeypatch.setattr("collector.labels.podlist.AGAIN_NS", 0)
        pods.ask(OF_POD)
        pods.settle(PATIENCE)
        path.write_text(LIST)
        pods.ask(OF_POD)
        pods.settle(PATIENCE)
        assert pods.outcomes == {"missing": 2, "ok": 1} and pods.get(UID).service == "shop"
    assert [record.getMessage() for record in caplog.records] == [
        f"the pods of {path} are not known: missing"
    ]


def test_a_container_that_no_list_has_is_not_looked_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.labels.podlist.AGAIN_NS", 0)
    path = tmp_path / "pods.json"
    path.write_text(LIST)
    with closing(PodList(str(path), NOBODY)) as pods:
        for container_id in ["00" * 32] * 20 + ["11" * 32]:
            pods.ask(Cgroup("/x", "", container_id, "containerd", UID))
            pods.settle(PATIENCE)
        assert pods.outcomes == {"ok": TRIES + 1}


def test_what_is_of_no_pod_has_nothing_read(tmp_path: Path) -> None:
    with closing(PodList(str(tmp_path), NOBODY)) as pods:
        pods.ask(Cgroup("/x", "", ID))
        pods.settle(PATIENCE)
        assert not pods.outcomes


def test_the_kubelet_is_asked_with_a_token_that_nobody_else_is_told(
    certificate: Path, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    ca = certificate.with_suffix(".crt")
    with serving(certificate) as kubelet:
        for access in (Access(token, ca), Access(token, None), Access(tmp_path / "none", ca)):
            assert json.loads(fetch(kubelet.url(scheme="https"), access, PATIENCE))
        assert [told for _, told in kubelet.asked] == ["Bearer secret", "Bearer secret", None]
    with serving() as kubelet:
        assert fetch(kubelet.url(), Access(token, ca), PATIENCE)
        assert kubelet.asked == [("/pods", None)]


def test_a_certificate_of_somebody_else_is_refused(certificate: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    other = tmp_path / "other.crt"
    name = ["-subj", "/CN=other", "-keyout", "/dev/null", "-out", str(other)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name]
    subprocess.run(command, check=True, capture_output=True)
    with serving(certificate) as kubelet, pytest.raises(Failed) as error:
        fetch(kubelet.url(scheme="https"), Access(token, other), PATIENCE)
    assert error.value.outcome == "unreachable" and not kubelet.asked


@pytest.mark.parametrize(("path", "outcome"), [("/moved", "refused"), ("/none", "refused")])
def test_another_place_is_not_gone_to(path: str, outcome: str) -> None:
    with serving() as kubelet:
        with pytest.raises(Failed) as error:
            fetch(kubelet.url(path), NOBODY, PATIENCE)
        assert [asked for asked, _ in kubelet.asked] == [path]
    assert error.value.outcome == outcome


def test_a_kubelet_that_does_not_answer_is_not_waited_for() -> None:
    with serving() as kubelet, pytest.raises(Failed) as error:
        fetch(kubelet.url("/slow"), NOBODY, 0.05)
    assert error.value.outcome == "timeout"


def test_a_list_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.labels.kubelet.MAX_BYTES", 100)
    (tmp_path / "pods").write_text(LIST)
    with pytest.raises(Failed) as of_file:
        read_file(str(tmp_path / "pods"))
    with serving() as kubelet, pytest.raises(Failed) as of_kubelet:
        fetch(kubelet.url(), NOBODY, PATIENCE)
    assert (of_file.value.outcome, of_kubelet.value.outcome) == ("too_large", "too_large")


def test_the_pod_names_the_processes_of_its_containers(tmp_path: Path) -> None:
    path = tmp_path / "pods.json"
    path.write_text(LIST)
    proc = FakeProc(tmp_path / "proc")
    labelling = Labelling("a", engine_sockets=(), pods=str(path))
    labeller = Labeller(labelling, ProcFs(proc.root))
    processes = ProcessCache(ProcFs(proc.root), origins=labeller.origins)
    with closing(labeller):
        cgroup = f"/kubepods/burstable/pod{UID}/{ID}"
        proc.process(7, executable="/usr/bin/python3.11", cgroup=cgroup)
        process = processes.refresh(7)
        assert labeller.pods is not None
        labeller.pods.settle(PATIENCE)
        labeller.begin_drain()
        labels = dict(labeller.labels(process, "t") or ())
    del labels["host_arch"], labels["os_version"]
    assert labels == {
        "host_name": "a",
        "service_name": "shop",
        "service_version": "1.4",
        "container_name": "app",
        "container_image_name": "docker.io/team/shop",
        "container_image_tag": "1.4",
        "k8s_pod_name": "shop-7d9f8-x2x",
        "k8s_namespace_name": "web",
        "k8s_deployment_name": "shop",
        "k8s_container_name": "app",
        "process_executable_name": "python3.11",
    }
