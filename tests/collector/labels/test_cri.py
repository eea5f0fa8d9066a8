import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest

from collector.labels.cgroup import Cgroup
from collector.labels.containers import Containers
from collector.labels.cri import inspect
from collector.labels.engine import MAX_ANSWER, Failed
from collector.labels.facts import Container

ID = "3f1c" * 16
DIGEST = "sha256:" + "ab" * 32


def field(number: int, value: bytes | str) -> bytes:
    """A field of a message, as protobuf's encoding has it: the tests have their own numbers."""
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    head = b""
    while value > 127:
        head, value = head + bytes([value & 127 | 128]), value >> 7
    return head + bytes([value])


def status(name: str = "app", image: str = "docker.io/team/shop:1.4", **labels: str) -> bytes:
    """ContainerStatusResponse, with a field that we do not know."""
    of_kubernetes = {
        f"io.kubernetes.{key.replace('_', '.')}": value for key, value in labels.items()
    }
    pairs = (field(12, field(1, key) + field(2, value)) for key, value in of_kubernetes.items())
    spec = field(1, image) + field(18, "docker.io/team/shop:1.5")
    return field(
        1,
        field(1, ID) + field(2, field(1, name)) + field(8, spec)
        + field(9, f"docker.io/team/shop@{DIGEST}") + field(10, "reason") + b"".join(pairs),
    )  # fmt: skip


Answer = Callable[[grpc.ServicerContext], bytes]


@contextmanager
def serving(path: Path, answer: Answer) -> Iterator[list[bytes]]:
    """What it was asked for."""
    asked: list[bytes] = []

    def container_status(request: bytes, context: grpc.ServicerContext) -> bytes:
        asked.append(request)
        return answer(context)

    server = grpc.server(ThreadPoolExecutor(2))
    handler: grpc.RpcMethodHandler[bytes, bytes]
    handler = grpc.unary_unary_rpc_method_handler(container_status)
    service = grpc.method_handlers_generic_handler(
        "runtime.v1.RuntimeService", {"ContainerStatus": handler}
    )
    server.add_generic_rpc_handlers((service,))
    server.add_insecure_port(f"unix://{path}")
    server.start()
    try:
        yield asked
    finally:
        server.stop(None).wait()


def nothing(label: str) -> bool:
    return False


def test_a_container_is_what_its_engine_says(tmp_path: Path) -> None:
    path = tmp_path / "containerd.sock"
    labels = {"container_name": "app", "pod_name": "shop-7d", "pod_namespace": "web"}
    with serving(path, lambda context: status(**labels)) as asked:
        found = inspect(path, ID, {"io_kubernetes_pod_name"}.__contains__)
    assert asked == [field(1, ID)]
    assert found == Container(
        *("app", "docker.io/team/shop", "1.4", f"docker.io/team/shop@{DIGEST}", "shop-7d", "web"),
        labels=(("io_kubernetes_pod_name", "shop-7d"),),
    )


def test_where_the_image_is_a_digest_it_is_what_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "crio.sock"
    with serving(path, lambda context: status(image=DIGEST)):
        found = inspect(path, ID, nothing)
    assert (found.image, found.tag) == ("docker.io/team/shop", "1.5")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (grpc.StatusCode.NOT_FOUND, "missing"),
        (grpc.StatusCode.UNIMPLEMENTED, "refused"),
        (grpc.StatusCode.INTERNAL, "refused"),
        (grpc.StatusCode.UNAVAILABLE, "unreachable"),
    ],
)
def test_a_refusal_has_its_outcome(code: grpc.StatusCode, outcome: str, tmp_path: Path) -> None:
    path = tmp_path / "containerd.sock"
    with (
        serving(path, lambda context: context.abort(code, "no")),
        pytest.raises(Failed) as error,
    ):
        inspect(path, ID, nothing)
    assert error.value.outcome == outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(b"\xff\xff", "refused"), (field(99, b"x" * (MAX_ANSWER + 1)), "too_large")],
)
def test_an_answer_that_is_none_has_its_outcome(
    answer: bytes, outcome: str, tmp_path: Path
) -> None:
    path = tmp_path / "containerd.sock"
    with serving(path, lambda context: answer), pytest.raises(Failed) as error:
        inspect(path, ID, nothing)
    assert error.value.outcome == outcome


def test_an_engine_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    path, held = tmp_path / "containerd.sock", threading.Event()

    def silent(context: grpc.ServicerContext) -> bytes:
        held.wait()
        return b""

    with serving(path, silent):
        with pytest.raises(Failed) as error:
            inspect(path, ID, nothing, patience_seconds=0.05)
        held.set()
    assert error.value.outcome == "timeout"


@pytest.mark.parametrize(
    ("runtime", "asked"), [("containerd", 1), ("cri-o", 1), ("", 1), ("docker", 0)]
)
def test_it_is_asked_for_what_its_interface_may_know(
    runtime: str, asked: int, tmp_path: Path
) -> None:
    path = tmp_path / "containerd.sock"
    with (
        serving(path, lambda context: status()) as requests,
        closing(Containers([path])) as containers,
    ):
        containers.ask(Cgroup("/x", "", ID, runtime))
        containers.settle(30)
        assert len(requests) == asked
        assert containers.get(ID).name == ("app" if asked else "")
