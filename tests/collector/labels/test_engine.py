import json
import threading
from pathlib import Path

import pytest

from collector.labels.engine import MAX_ANSWER, MAX_NAME, Failed, inspect, split_image
from collector.labels.facts import Container
from tests.collector.labels.engine_server import container, known, serving

ID = "3f1c" * 16


def nothing(label: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("reference", "name", "tag"),
    [
        ("shop", "shop", ""),
        ("team/shop:1.4", "team/shop", "1.4"),
        ("registry:5000/team/shop", "registry:5000/team/shop", ""),
        ("registry:5000/team/shop:1.4@sha256:abcd", "registry:5000/team/shop", "1.4"),
        ("team/shop@sha256:abcd", "team/shop", ""),
        ("sha256:abcd", "", ""),
        ("", "", ""),
    ],
)
def test_an_image_has_a_name_and_a_tag(reference: str, name: str, tag: str) -> None:
    assert split_image(reference) == (name, tag)


def test_a_container_is_what_its_engine_says(tmp_path: Path) -> None:
    path = tmp_path / "engine"
    with serving(path, known({ID: container()})) as asked:
        found = inspect(path, ID, nothing)
    assert found == Container("shop-1", "team/shop", "1.4", "sha256:" + "ab" * 32)
    assert asked == [f"/containers/{ID}/json"]


def test_the_labels_of_kubernetes_and_those_that_are_wanted_are_read(tmp_path: Path) -> None:
    labels = {
        "io.kubernetes.container.name": "app",
        "io.kubernetes.pod.name": "shop-7d",
        "io.kubernetes.pod.namespace": "web",
        "com.docker.compose.service": "checkout",
        "secret": "hush",
    }
    given = container("/k8s_app_shop-7d_web_0", **labels)
    path = tmp_path / "engine"
    with serving(path, known({ID: given})):
        found = inspect(path, ID, {"com_docker_compose_service"}.__contains__)
    assert (found.name, found.pod, found.namespace) == ("app", "shop-7d", "web")
    assert found.labels == (("com_docker_compose_service", "checkout"),)


def ok(body: str) -> bytes:
    return f"HTTP/1.0 200 OK\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"", "refused"),
        (b"HTTP/1.0 200 OK\r\n", "refused"),
        (b"HTTP/1.0 500 No\r\n\r\n{}", "refused"),
        (b"nonsense\r\n\r\n", "refused"),
        (ok("{"), "bad_answer"),
        (ok("[]"), "bad_answer"),
        (ok("{}"), "bad_answer"),
        (ok('{"Config": 1}'), "bad_answer"),
        (ok(json.dumps({**container(), "Name": 7})), "bad_answer"),
        (ok(json.dumps({**container(), "Config": {"Image": "a", "Labels": [1]}})), "bad_answer"),
        (ok("[" * 100_000), "bad_answer"),
        (ok("x" * (MAX_ANSWER + 1)), "too_large"),
    ],
)
def test_an_answer_that_says_nothing_has_its_outcome(
    answer: bytes, outcome: str, tmp_path: Path
) -> None:
    path = tmp_path / "engine"
    with serving(path, lambda target: answer), pytest.raises(Failed) as error:
        inspect(path, ID, nothing)
    assert error.value.outcome == outcome


def test_names_are_printable_and_bounded(tmp_path: Path) -> None:
    path = tmp_path / "engine"
    with serving(path, known({ID: container("/\x1b" + "a" * 10_000)})):
        found = inspect(path, ID, nothing)
    assert found.name.startswith("\\x1baaa") and len(found.name) <= MAX_NAME + 10


def test_an_engine_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "engine"
    held = threading.Event()

    def silent(target: str) -> bytes:
        held.wait()
        return b""

    with serving(path, silent):
        with pytest.raises(Failed) as error:
            inspect(path, ID, nothing, patience_seconds=0.05)
        held.set()
    assert error.value.outcome == "timeout"


def test_where_nobody_listens_there_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(Failed) as error:
        inspect(tmp_path / "none", ID, nothing)
    assert error.value.outcome == "unreachable"
