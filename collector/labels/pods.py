"""The pods of a node, from Kubernetes' own list of them: a PodList in JSON, as the kubelet answers
at /pods and `kubectl get pods -o json` prints it.

    {"items": [{"metadata": {"uid": "7a6b…", "name": "shop-7d9f8-x2x", "namespace": "web", …}}]}
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from collector.labels.engine import Failed, described
from collector.labels.facts import Container, Pod
from collector.processes.text import printable

MAX_PODS = 1024
"""Of a list; 110 is what Kubernetes puts on a node."""
MAX_CONTAINERS = 64
MAX_NAME = 256

ANNOTATION = "resource.opentelemetry.io/"
_NAMED_BY = (ANNOTATION + "service.name", "app.kubernetes.io/instance", "app.kubernetes.io/name")
_VERSION_BY = (ANNOTATION + "service.version", "app.kubernetes.io/version")
"""An annotation, then Kubernetes' recommended labels: the order of OpenTelemetry's conventions for
Kubernetes."""
_HASH = "pod-template-hash"
_SCHEDULED = re.compile(r"(.+)-\d{8,}")
"""A job of a cron job: the name of that and the minute it is due."""
_WORKLOADS = {"StatefulSet": "k8s_statefulset_name", "DaemonSet": "k8s_daemonset_name"}
_OF_NO_LABEL = re.compile(r"[^A-Za-z0-9_]")


@dataclass(frozen=True, slots=True)
class Listed:
    """Pods by their uid, containers by their number."""

    pods: Mapping[str, Pod]
    containers: Mapping[str, Container]


def parse_pods(body: bytes, wanted: Callable[[str], bool] = lambda label: False) -> Listed:
    """What can be read of a list: a pod with a mistake is left out. Raises Failed("bad_answer") for
    what is none."""
    try:
        items = json.loads(body)["items"] or []
        found = list(items)[:MAX_PODS]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Failed("bad_answer") from None
    pods: dict[str, Pod] = {}
    containers: dict[str, Container] = {}
    for item in found:
        try:
            pod = _pod(item["metadata"], wanted)
            running = dict(_containers(item.get("status") or {}, pod))
        except (KeyError, TypeError, AttributeError, ValueError):
            continue
        for uid in _uids(item["metadata"]):
            pods[uid] = pod
        containers |= running
    return Listed(pods, containers)


def _uids(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Control groups of a pod from a file on the node have the hash of the file in their names."""
    hashed = (metadata.get("annotations") or {}).get("kubernetes.io/config.hash")
    yield from (uid for uid in (metadata.get("uid"), hashed) if isinstance(uid, str))


def _pod(metadata: Mapping[str, Any], wanted: Callable[[str], bool]) -> Pod:
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    said = {**labels, **annotations}
    named = {
        f"{kind}_{_OF_NO_LABEL.sub('_', name)}": value
        for kind, given in (("label", labels), ("annotation", annotations))
        for name, value in given.items()
    }
    return Pod(
        _text(metadata["name"]),
        _text(metadata["namespace"]),
        _workload(metadata, labels),
        _first(said, _NAMED_BY),
        _first(said, _VERSION_BY),
        tuple(sorted((name, _text(value)) for name, value in named.items() if wanted(name))),
    )


def _workload(metadata: Mapping[str, Any], labels: Mapping[str, Any]) -> tuple[str, str]:
    """Neither replica sets nor the jobs of cron jobs, which are new each time."""
    owners = (each for each in metadata.get("ownerReferences") or [] if each.get("controller"))
    owner = next(owners, None)
    if owner is None:
        return "", ""
    kind, name = owner["kind"], _text(owner["name"])
    if kind == "ReplicaSet" and labels.get(_HASH) and name.endswith(f"-{labels[_HASH]}"):
        return "k8s_deployment_name", name.removesuffix(f"-{labels[_HASH]}")
    if kind == "Job":
        scheduled = _SCHEDULED.fullmatch(name)
        return ("k8s_cronjob_name", scheduled[1]) if scheduled else ("k8s_job_name", name)
    label = _WORKLOADS.get(kind, "")
    return label, name if label else ""


def _containers(status: Mapping[str, Any], pod: Pod) -> Iterator[tuple[str, Container]]:
    kinds = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    found = [each for kind in kinds for each in status.get(kind) or []]
    for each in found[:MAX_CONTAINERS]:
        _, _, number = each.get("containerID", "").rpartition("://")
        if number:
            image_id = each.get("imageID", "")
            container = described(each["name"], each["image"], image_id, {}, lambda label: False)
            yield number, replace(container, pod=pod.name, namespace=pod.namespace)


def _first(said: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((_text(said[name]) for name in names if said.get(name)), "")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return printable(value, MAX_NAME)
