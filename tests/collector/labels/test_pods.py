import copy
import json
from typing import Any

import pytest

from collector.labels.engine import Failed
from collector.labels.facts import Container, Pod
from collector.labels.pods import MAX_PODS, parse_pods

UID = "7a6b8a6e-0c1d-4e2f-9a3b-5c4d6e7f8091"
ID = "3f1c" * 16
POD: dict[str, Any] = {
    "metadata": {
        "uid": UID,
        "name": "shop-7d9f8-x2x",
        "namespace": "web",
        "labels": {
            "pod-template-hash": "7d9f8",
            "app.kubernetes.io/name": "shop",
            "app.kubernetes.io/version": "1.4",
            "team": "red",
        },
        "annotations": {"owner": "hush"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "shop-7d9f8", "controller": True}],
    },
    "status": {
        "containerStatuses": [
            {
                "name": "app",
                "containerID": f"containerd://{ID}",
                "image": "docker.io/team/shop:1.4",
                "imageID": "docker.io/team/shop@sha256:abcd",
            },
            {"name": "waits", "image": "docker.io/team/late:1"},
        ]
    },
}


def pod(**metadata: Any) -> dict[str, Any]:
    made = copy.deepcopy(POD)
    made["metadata"].update(metadata)
    return made


def parsed(*pods: Any) -> dict[str, Pod]:
    return dict(parse_pods(json.dumps({"items": pods}).encode()).pods)


def test_a_pod_and_its_containers_are_what_the_list_says() -> None:
    listed = parse_pods(json.dumps({"items": [POD]}).encode(), {"label_team"}.__contains__)
    assert listed.pods == {
        UID: Pod(
            "shop-7d9f8-x2x",
            "web",
            ("k8s_deployment_name", "shop"),
            "shop",
            "1.4",
            (("label_team", "red"),),
        )
    }
    image = "docker.io/team/shop"
    container = Container("app", image, "1.4", f"{image}@sha256:abcd", "shop-7d9f8-x2x", "web")
    assert listed.containers == {ID: container}


@pytest.mark.parametrize(
    ("kind", "name", "workload"),
    [
        ("ReplicaSet", "shop-7d9f8", ("k8s_deployment_name", "shop")),
        ("ReplicaSet", "of-somebody-else", ("", "")),
        ("StatefulSet", "db", ("k8s_statefulset_name", "db")),
        ("DaemonSet", "agent", ("k8s_daemonset_name", "agent")),
        ("Job", "migrate", ("k8s_job_name", "migrate")),
        ("Job", "nightly-28312345", ("k8s_cronjob_name", "nightly")),
        ("Node", "node-a", ("", "")),
    ],
)
def test_a_workload_is_what_stays_from_deploy_to_deploy(
    kind: str, name: str, workload: tuple[str, str]
) -> None:
    owner = {"kind": kind, "name": name, "controller": True}
    assert (
        parsed(pod(ownerReferences=[{"kind": "X", "name": "y"}, owner]))[UID].workload == workload
    )


def test_the_service_is_named_by_an_annotation_then_by_instance_then_by_name() -> None:
    labels = {"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": "shop-eu"}
    assert parsed(pod(labels=labels))[UID].service == "shop-eu"
    said = {
        "resource.opentelemetry.io/service.name": "checkout",
        "resource.opentelemetry.io/service.version": "2",
    }
    found = parsed(pod(labels=labels, annotations=said))[UID]
    assert (found.service, found.version) == ("checkout", "2")


def test_a_pod_of_a_file_is_known_by_the_hash_of_its_file() -> None:
    hashed = "0f" * 16
    found = parsed(pod(annotations={"kubernetes.io/config.hash": hashed}))
    assert found[hashed] == found[UID]


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": 7},
        {"namespace": None},
        {"labels": [1]},
        {"labels": {"app.kubernetes.io/name": 7}},
        {"ownerReferences": [7]},
        {"ownerReferences": [{"controller": True}]},
    ],
)
def test_a_pod_with_a_mistake_is_left_out_and_no_other(metadata: dict[str, Any]) -> None:
    good = pod(uid="good")
    assert set(parsed(pod(**metadata), 7, None, {}, good)) == {"good"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"items": 7}', b"[" * 100_000])
def test_what_is_no_list_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(Failed) as error:
        parse_pods(body)
    assert error.value.outcome == "bad_answer"


def test_an_empty_node_has_no_pods_and_a_full_one_a_bound() -> None:
    assert parse_pods(b'{"items": null}').pods == {}
    assert len(parsed(*(pod(uid=f"u{number}") for number in range(MAX_PODS + 5)))) == MAX_PODS
