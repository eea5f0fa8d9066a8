"""Which service a process is of, and at which version: the first that says so of

1. OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, DD_SERVICE, DD_VERSION in its environment,
2. its pod's annotations for OpenTelemetry and Kubernetes' recommended labels,
3. its container's image and tag,
4. its systemd unit, which has no version,
5. its executable and that file's build-id.

Name and version are looked for apart from each other, but the build-id is the version of what is
named by its executable alone: a unit or a container runs many executables, and would have as many
versions.
"""

import re

from collector.labels.environment import attributes
from collector.labels.facts import Container, Facts

KERNEL = "kernel"
OTHER = "[other]"
"""The service of what has no place among the series of a drain."""

_ATTRIBUTES = {
    "service_namespace": "service.namespace",
    "deployment_environment_name": "deployment.environment.name",
    "vcs_ref_head_revision": "vcs.ref.head.revision",
    "k8s_namespace_name": "k8s.namespace.name",
    "k8s_deployment_name": "k8s.deployment.name",
    "k8s_pod_name": "k8s.pod.name",
    "k8s_container_name": "k8s.container.name",
}
"""Of those that a process may declare, the ones that do not differ between equal processes of a
pod. Rules may ask for the others."""

_PASSING_UNIT = re.compile(r"run-(?:[pru][0-9a-f]+|p\d+-i\d+)\.service")
"""systemd-run's own names, one a call."""
_CONNECTION = re.compile(r"@\d+-.+-.+(?=\.service$)")
"""The instance that a socket unit gives to a connection (systemd.socket(5), Accept=): its number
and both ends."""
_DIGITS = 12
"""Of a digest or a build-id that stands for a version: what engines show of one."""


def labels_of(facts: Facts) -> dict[str, str]:
    """By name; "" is for what is not known."""
    if facts.kernel_thread:
        return {"process_executable_name": KERNEL, "service_name": KERNEL}
    container, pod, unit = facts.container, facts.pod, unit_of(facts.origin.cgroup.unit)
    declared = attributes(dict(facts.origin.environment))
    name = (
        declared.get("service.name")
        or pod.service
        or container.image.rpartition("/")[2]
        or unit.removesuffix(".service").partition("@")[0]
    )
    version = declared.get("service.version") or pod.version or image_version(container)
    if not name:
        name, version = facts.executable, version or facts.build_id[:_DIGITS]
    declares = {label: declared.get(attribute, "") for label, attribute in _ATTRIBUTES.items()}
    named = container.name or pod.name or declares["k8s_pod_name"]
    return {
        **declares,
        **_pod_of(facts),
        "service_name": name,
        "service_version": version,
        "container_id": "" if named else facts.origin.cgroup.container_id,
        "container_name": container.name,
        "container_image_name": container.image,
        "container_image_tag": container.tag,
        "systemd_unit": unit,
        "process_executable_name": facts.executable,
        "process_executable_build_id_gnu": facts.build_id,
    }


def _pod_of(facts: Facts) -> dict[str, str]:
    """What the cluster says comes before what a process says of itself."""
    container, pod = facts.container, facts.pod
    workload, owner = pod.workload
    found = {
        "k8s_pod_name": pod.name or container.pod,
        "k8s_namespace_name": pod.namespace or container.namespace,
        "k8s_container_name": container.name if pod.name or container.pod else "",
        workload: owner,
    }
    return {label: value for label, value in found.items() if value}


def unit_of(unit: str) -> str:
    """A unit without what is of one call or one connection alone."""
    return "" if _PASSING_UNIT.fullmatch(unit) else _CONNECTION.sub("@", unit)


def image_version(container: Container) -> str:
    """The tag, or for one that says nothing, the beginning of the image's digest."""
    if container.tag and container.tag != "latest":
        return container.tag
    return container.image_id.rpartition(":")[2][:_DIGITS] or container.tag
