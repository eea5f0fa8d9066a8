import pytest

from collector.labels.cgroup import Cgroup
from collector.labels.facts import Container, Facts
from collector.labels.origin import Origin
from collector.labels.service import labels_of

SHOP = Container("shop-1", "registry:5000/team/shop", "1.4", "sha256:" + "ab" * 32)


def facts(
    *, unit: str = "", container: Container | None = None, container_id: str = "", **variables: str
) -> Facts:
    group = Cgroup("/x", unit, container_id)
    origin = Origin(group, tuple(sorted(variables.items())))
    return Facts(
        "python3.11", "0123456789abcdef0123", origin=origin, container=container or Container()
    )


def named(found: Facts) -> tuple[str, str]:
    labels = labels_of(found)
    return labels["service_name"], labels["service_version"]


def test_each_source_gives_way_to_the_ones_above_it() -> None:
    assert named(facts()) == ("python3.11", "0123456789ab")
    assert named(facts(unit="nginx.service")) == ("nginx", "")
    assert named(facts(unit="nginx.service", container=SHOP)) == ("shop", "1.4")
    declared = facts(unit="nginx.service", container=SHOP, OTEL_SERVICE_NAME="checkout")
    assert named(declared) == ("checkout", "1.4")
    assert named(facts(container=SHOP, DD_VERSION="2.0")) == ("shop", "2.0")


def test_a_build_id_is_no_version_of_what_runs_many_executables() -> None:
    assert named(facts(OTEL_SERVICE_NAME="checkout")) == ("checkout", "")


@pytest.mark.parametrize("tag", ["", "latest"])
def test_a_tag_that_says_nothing_leaves_the_version_to_the_digest(tag: str) -> None:
    image = Container("shop-1", "shop", tag, "sha256:" + "ab" * 32)
    assert named(facts(container=image)) == ("shop", "ab" * 6)
    assert named(facts(container=Container("shop-1", "shop", tag))) == ("shop", tag)


@pytest.mark.parametrize(
    ("unit", "service", "label"),
    [
        ("postgresql@15-main.service", "postgresql", "postgresql@15-main.service"),
        ("sshd@37-10.0.0.1:22-10.0.0.9:51324.service", "sshd", "sshd@.service"),
        ("app@7-411-1000.service", "app", "app@.service"),
        ("run-r0f3c.service", "python3.11", ""),
        ("run-u12.service", "python3.11", ""),
        ("run-p311-i312.service", "python3.11", ""),
        ("run-parts.service", "run-parts", "run-parts.service"),
    ],
)
def test_units_of_one_call_or_one_connection_make_no_series(
    unit: str, service: str, label: str
) -> None:
    labels = labels_of(facts(unit=unit))
    assert (labels["service_name"], labels["systemd_unit"]) == (service, label)


def test_the_number_of_a_container_is_a_label_only_where_nothing_names_it() -> None:
    assert labels_of(facts(container_id="3f"))["container_id"] == "3f"
    assert labels_of(facts(container_id="3f", container=SHOP))["container_id"] == ""
    pod = facts(container_id="3f", OTEL_RESOURCE_ATTRIBUTES="k8s.pod.name=a-1")
    assert (labels_of(pod)["container_id"], labels_of(pod)["k8s_pod_name"]) == ("", "a-1")


def test_threads_of_the_kernel_are_one_service() -> None:
    labels = labels_of(Facts("", kernel_thread=True))
    assert labels == {"process_executable_name": "kernel", "service_name": "kernel"}
