"""The manifests and the chart say the same, and what the code says of privileges and addresses."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.config import cache_folder, default_spool
from collector.delivery.grpc import CLOSE_SECONDS
from collector.kernel.pins import PINS
from collector.privileges import AS_ROOT, NEEDED
from server.api import urls
from server.config import GRPC, HTTP

DEPLOY = Path(__file__).parents[2] / "deploy"
CAPABILITIES = [one.name.removeprefix("CAP_") for one in (*NEEDED, *AS_ROOT)]

Manifests = dict[tuple[str, str], Any]


def parsed(text: str) -> Manifests:
    documents = [document for document in yaml.safe_load_all(text) if document]
    return {(each["kind"], each["metadata"]["name"]): each for each in documents}


def plain() -> Manifests:
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return parsed("\n---\n".join(file.read_text() for file in files))


def helm(*arguments: str) -> str:
    program = shutil.which("helm", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        pytest.skip("helm is not installed (`make helm` builds it with Go)")
    command = [program, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, cwd=DEPLOY / "helm")
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def container(manifest: Any) -> Any:
    (only,) = manifest["spec"]["template"]["spec"]["containers"]
    return only


def walked(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in it."""
    if isinstance(value, dict):
        yield value
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for child in children:
            yield from walked(child)


def test_the_chart_has_no_mistakes_that_helm_knows() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", ".")


def test_the_chart_as_it_is_is_the_manifests() -> None:
    rendered = parsed(helm("template", "profiler", "."))
    for mapping in walked(list(rendered.values())):
        mapping.pop("app.kubernetes.io/instance", None)  # several may be installed
        mapping.pop("imagePullPolicy", None)
        for name in ("nodeSelector", "tolerations"):
            if not mapping.get(name, True):
                del mapping[name]
        if mapping.get("type") == "ClusterIP":
            del mapping["type"]
    assert rendered == plain()


def test_the_charts_values_arrive() -> None:
    sets = {
        "collector.server": "profiler.example:8441",
        "collector.args[0]": "--frequency=19",
        "server.enabled": "false",
        "image.registry": "registry.example/tools",
        "image.tag": "1.2.3",
        "collector.env[0].name": "DEBUGINFOD_URLS",
        "collector.env[0].value": "https://debuginfod.example",
    }
    flags = [f"--set={name}={value}" for name, value in sets.items()]
    ((_, manifest),) = parsed(helm("template", "node", ".", *flags)).items()
    found = container(manifest)
    assert manifest["metadata"]["name"] == "node-collector"
    assert found["image"] == "registry.example/tools/profiler-collector:1.2.3"
    assert found["args"][1:3] == ["--server", "profiler.example:8441"]
    assert found["args"][-1] == "--frequency=19"
    assert [one["name"] for one in found["env"]] == [
        "PROFILER_COLLECT_HOST_NAME",
        "DEBUGINFOD_URLS",
    ]


def test_the_charts_collector_may_ask_the_kubelet_only_where_it_is_told_to() -> None:
    flags = ["--namespace=tools", "--set=collector.pods.enabled=true,collector.pods.ca=/ca.pem"]
    rendered = parsed(helm("template", "profiler", ".", *flags))
    manifest = rendered["DaemonSet", "profiler-collector"]
    pod, found = manifest["spec"]["template"]["spec"], container(manifest)
    at = found["args"].index("--pods")
    assert found["args"][at : at + 4] == [
        *("--pods", "https://$(NODE_ADDRESS):10250/pods"),
        *("--pods-ca", "/ca.pem"),
    ]
    assert "NODE_ADDRESS" in [one["name"] for one in found["env"]]
    assert pod["automountServiceAccountToken"] is True
    assert ("ServiceAccount", pod["serviceAccountName"]) in rendered
    (binding,) = [each for (kind, _), each in rendered.items() if kind == "ClusterRoleBinding"]
    assert ("ClusterRole", binding["roleRef"]["name"]) in rendered
    assert binding["subjects"][0]["name"] == pod["serviceAccountName"]
    assert binding["subjects"][0]["namespace"] == "tools"


def test_the_collector_has_what_the_code_says_it_needs() -> None:
    manifest = plain()["DaemonSet", "profiler-collector"]
    pod, found = manifest["spec"]["template"]["spec"], container(manifest)
    assert found["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": CAPABILITIES}
    assert found["securityContext"]["allowPrivilegeEscalation"] is False
    assert "privileged" not in found["securityContext"]
    assert pod["hostPID"] is True
    assert pod["terminationGracePeriodSeconds"] > 2 * CLOSE_SECONDS


def test_the_spool_and_the_cache_are_the_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = plain()["DaemonSet", "profiler-collector"]
    mounts = {one["name"]: Path(one["mountPath"]) for one in container(manifest)["volumeMounts"]}
    volumes = {one["name"]: one for one in manifest["spec"]["template"]["spec"]["volumes"]}
    monkeypatch.setattr("os.geteuid", lambda: container(manifest)["securityContext"]["runAsUser"])
    assert default_spool().is_relative_to(mounts["spool"])
    assert cache_folder("unwind").is_relative_to(mounts["cache"])
    assert mounts["pins"] == PINS.parent
    for name in ("spool", "cache", "pins"):
        assert volumes[name]["hostPath"]["path"] == str(mounts[name])
    assert set(mounts) == set(volumes) == {"spool", "cache", "pins", "tmp"}


def test_the_server_has_no_privilege_and_is_asked_what_it_answers() -> None:
    found = container(plain()["Deployment", "profiler-server"])
    security = found["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"]} and security["runAsNonRoot"] is True
    assert found["readinessProbe"]["httpGet"] == {"path": urls.READY, "port": "http"}
    for probe in ("livenessProbe", "startupProbe"):
        assert found[probe]["httpGet"] == {"path": urls.HEALTH, "port": "http"}


def test_ports_are_the_defaults_everywhere() -> None:
    manifests = plain()
    ports = {"http": int(HTTP.split(":")[1]), "grpc": int(GRPC.split(":")[1])}
    server = container(manifests["Deployment", "profiler-server"])
    service = manifests["Service", "profiler-server"]
    assert {one["name"]: one["containerPort"] for one in server["ports"]} == ports
    assert {one["name"]: one["port"] for one in service["spec"]["ports"]} == ports
    assert {one["targetPort"] for one in service["spec"]["ports"]} == set(ports)
    for name, port in ports.items():
        at = server["args"].index(f"--{name}")
        assert server["args"][at + 1] == f"0.0.0.0:{port}"
    collector = container(manifests["DaemonSet", "profiler-collector"])
    assert f"profiler-server:{ports['grpc']}" in collector["args"]


def test_selectors_find_their_pods() -> None:
    manifests = plain()
    for (kind, _), manifest in manifests.items():
        if kind == "Service":
            labels = manifests["Deployment", "profiler-server"]["spec"]["template"]["metadata"]
            assert manifest["spec"]["selector"].items() <= labels["labels"].items()
        else:
            spec = manifest["spec"]
            assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
