"""The container files agree with the code and with one another."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from collector.kernel.pins import PINS
from server.config import GRPC, HTTP
from tests.deploy.test_kubernetes import CAPABILITIES

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "container" / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())


def stages() -> dict[str, str]:
    """The name of each and what it is made from."""
    found = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    return {name: source for source, name in found}


def test_stages_are_made_from_one_another() -> None:
    made = stages()
    assert [source for source in made.values() if source not in made] == ["debian:bookworm-slim"]
    copied = re.findall(r"--from=(\S+)", DOCKERFILE)
    assert copied and set(copied) <= made.keys()


def test_what_is_copied_from_the_clone_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    (sources,) = re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    for source in sources.split():
        assert any(Path(source).match(line[1:]) for line in ignored if line.startswith("!"))


def test_extras_are_those_of_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = re.findall(r"profiler\[(\w+)\]", DOCKERFILE)
    assert extras == ["collector", "server"]
    assert set(extras) <= project["optional-dependencies"].keys()


def test_constraints_are_every_version_of_the_lock() -> None:
    (pattern,) = re.findall(r"grep -oE '([^']+)'", DOCKERFILE)
    lock = (ROOT / "requirements.lock").read_text()
    locked = re.findall(r"^(\S+==\S+)", lock, re.MULTILINE)
    assert locked and re.findall(pattern, lock, re.MULTILINE) == locked


def test_compose_builds_what_the_container_file_makes() -> None:
    for name in ("server", "collector"):
        build = COMPOSE["services"][name]["build"]
        assert build["target"] == name and name in stages()
        folder = (ROOT / "deploy" / build["context"]).resolve()
        assert (folder / build["dockerfile"]).exists()


def test_compose_gives_the_collector_what_the_code_says_it_needs() -> None:
    collector, server = (COMPOSE["services"][name] for name in ("collector", "server"))
    assert collector["cap_add"] == CAPABILITIES
    assert collector["cap_drop"] == server["cap_drop"] == ["ALL"]
    assert "cap_add" not in server
    assert collector["pid"] == "host"
    assert server["ports"] == [f"{address}:{address.split(':')[1]}" for address in (HTTP, GRPC)]
    assert collector["command"][-1] == GRPC


def test_compose_keeps_what_is_not_acknowledged_in_a_volume() -> None:
    collector = COMPOSE["services"]["collector"]
    volumes = dict(one.split(":") for one in collector["volumes"])
    assert volumes["spool"] == "/var/lib/profiler"
    assert volumes.pop(str(PINS.parent)) == str(PINS.parent), "the host's"
    assert volumes.keys() <= COMPOSE["volumes"].keys()
