import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.labels.cgroup import MAX_PATH, Cgroup, parse_cgroup

ID, INNER = "3f1c" * 16, "07ab" * 16
UID = "7a6b8a6e-0c1d-4e2f-9a3b-5c4d6e7f8091"
SLICE = f"kubepods-burstable-pod{UID.replace('-', '_')}.slice"


def of(*paths: str) -> Cgroup:
    """Of a node with the unified hierarchy, or with those of version 1 from the second path on."""
    lines = [f"{number}:{'cpu' if number else ''}:{path}\n" for number, path in enumerate(paths)]
    return parse_cgroup("".join(lines).encode())


@pytest.mark.parametrize(
    ("path", "runtime", "pod"),
    [
        (f"/docker/{ID}", "docker", ""),
        (f"/system.slice/docker-{ID}.scope", "docker", ""),
        (f"/system.slice/docker-{ID}.scope/init", "docker", ""),
        (f"/machine.slice/libpod-{ID}.scope/container", "podman", ""),
        (f"/libpod_parent/libpod-{ID}", "podman", ""),
        (f"/user.slice/user-7.slice/user@7.service/user.slice/libpod-{ID}.scope", "podman", ""),
        (f"/system.slice/nerdctl-{ID}.scope", "containerd", ""),
        (f"/default/{ID}", "", ""),
        (f"/kubepods/burstable/pod{UID}/{ID}", "", UID),
        (f"/kubepods/besteffort/pod{UID}/crio-{ID}", "cri-o", UID),
        (f"/kubepods.slice/{SLICE}/cri-containerd-{ID}.scope", "containerd", UID),
        (f"/kubepods.slice/{SLICE}/crio-{ID}.scope", "cri-o", UID),
        (f"/kubelet.slice/kubelet-{SLICE}/cri-containerd-{ID}.scope", "containerd", UID),
        (f"/system.slice/containerd.service/{SLICE}:cri-containerd:{ID}", "containerd", UID),
        (f"/kubepods/pod{'0f' * 16}/{ID}", "", "0f" * 16),
        (f"/../docker-{ID}.scope", "docker", ""),
    ],
)
def test_a_container_is_known_by_its_path(path: str, runtime: str, pod: str) -> None:
    assert of(path) == Cgroup(path, "", ID, runtime, pod)


def test_in_version_1_any_hierarchy_may_name_the_container() -> None:
    assert of("/", "/user.slice", f"/docker/{ID}").container_id == ID


def test_of_containers_in_one_another_the_innermost_runs_the_process() -> None:
    found = of(f"/docker/{ID}/kubelet/kubepods/pod{UID}/{INNER}")
    assert (found.container_id, found.pod_uid) == (INNER, UID)


@pytest.mark.parametrize(
    "path",
    [
        f"/machine.slice/libpod-conmon-{ID}.scope",
        f"/kubepods.slice/crio-conmon-{ID}.scope",
        f"/docker/{ID}0",
        f"/docker/{ID.upper()}",
        f"/docker/x{ID}",
        f"{ID}",
        "/",
    ],
)
def test_what_only_looks_like_a_container_is_none(path: str) -> None:
    assert of(path).container_id == ""


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/system.slice/nginx.service", "nginx.service"),
        ("/system.slice/x.slice/postgresql@15-main.service/x", "postgresql@15-main.service"),
        ("/user.slice/user-7.slice/user@7.service/app.slice/notes.service", "notes.service"),
        ("/user.slice/user-7.slice/user@7.service/app.slice/app-firefox-12.scope", ""),
        ("/user.slice/user-7.slice/session-3.scope", ""),
        (f"/system.slice/containerd.service/{SLICE}:cri-containerd:{ID}", ""),
        (f"/system.slice/docker-{ID}.scope/system.slice/cron.service", "cron.service"),
        ("/system.slice/nginx.service (deleted)", "nginx.service"),
    ],
)  # fmt: skip
def test_the_unit_is_the_innermost_service_within_the_container(path: str, unit: str) -> None:
    assert of(path).unit == unit


def test_in_version_1_the_unit_stands_in_systemds_own_hierarchy() -> None:
    text = b"9:cpu:/system.slice\n1:name=systemd:/system.slice/cron.service\n0::/\n"
    assert parse_cgroup(text).unit == "cron.service"


@pytest.mark.parametrize(
    "text", [b"", b"0::", b"0::/a", b":::\n", b"0:\n", b"\xff\xfe\n", b"0::relative\n"]
)
def test_a_text_that_is_cut_or_strange_says_nothing(text: bytes) -> None:
    assert parse_cgroup(text) == Cgroup()


@given(st.binary(max_size=200))
def test_whatever_a_group_is_called_is_bounded_and_printable(name: bytes) -> None:
    found = parse_cgroup(b"0::/" + name * 100 + b"\n")
    assert found.path.isprintable() and len(found.path) <= 10 * MAX_PATH
