"""Asks containerd or CRI-O what a container is called: Kubernetes' container runtime interface, one
call of gRPC over a socket (proto/cri/runtime.proto).
"""

from collections.abc import Callable
from pathlib import Path

import grpc

from collector.labels.cri_pb import runtime_pb2 as pb
from collector.labels.engine import MAX_ANSWER, PATIENCE_SECONDS, Failed, described
from collector.labels.facts import Container

METHOD = "/runtime.v1.RuntimeService/ContainerStatus"
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_ANSWER),
    ("grpc.enable_http_proxy", 0),
    # Go's servers refuse the path of a socket, which some versions of gRPC send.
    ("grpc.default_authority", "localhost"),
)
_OUTCOMES = {
    grpc.StatusCode.NOT_FOUND: "missing",
    grpc.StatusCode.DEADLINE_EXCEEDED: "timeout",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "too_large",
    grpc.StatusCode.UNAVAILABLE: "unreachable",
}


def inspect(
    path: Path,
    container_id: str,
    wanted: Callable[[str], bool],
    patience_seconds: float = PATIENCE_SECONDS,
) -> Container:
    """Raises Failed, as for Docker's API."""
    with grpc.insecure_channel(f"unix://{path.absolute()}", _OPTIONS) as channel:
        ask = channel.unary_unary(
            METHOD,
            request_serializer=pb.ContainerStatusRequest.SerializeToString,
            response_deserializer=pb.ContainerStatusResponse.FromString,
        )
        request = pb.ContainerStatusRequest(container_id=container_id)
        try:
            return parse(ask(request, timeout=patience_seconds), wanted)
        except grpc.RpcError as error:
            raise Failed(_OUTCOMES.get(error.code(), "refused")) from None


def parse(answer: pb.ContainerStatusResponse, wanted: Callable[[str], bool]) -> Container:
    """CRI-O gives a digest for the image's name in some versions, and what was asked for beside."""
    status = answer.status
    image = status.image.image
    if image.startswith("sha256:"):
        image = status.image.user_specified_image
    labels = dict(status.labels)
    return described(status.metadata.name, image, status.image_ref, labels, wanted)
