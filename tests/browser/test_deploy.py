"""Two versions of a real program, the second slower in one function, sampled on this kernel and
compared on the page: that function stands first, and what does not call it is grey."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import watched
from tests.browser.explorer import Explorer
from tests.browser.served import Served, serving
from tests.processes import eventually, running

pytestmark = pytest.mark.kernel

HOSTS = ("a", "b", "c")
"""As the collectors call this machine; as many units as it takes to tell noise."""
SAMPLES = 4_000
"""Of a version, on all hosts together."""
ONLY_STEPS = 'action = "keep", source_labels = ["process_executable_name"], regex = "steps"'
"""So that no time goes into reading the symbols of whatever else is busy here."""
STEPS = [f"step_{letter}" for letter in "abcdefghijkl"]


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    compiler = shutil.which("gcc") or pytest.skip("gcc is not installed (apt-get install gcc)")
    source = Path(__file__).with_name("steps.c")
    built = {}
    for version, slow in (("1", "0"), ("2", "'f'")):
        built[version] = tmp_path_factory.mktemp(version) / "steps"
        flags = ["-O1", "-fno-omit-frame-pointer", f"-DSLOW={slow}"]
        subprocess.run([compiler, *flags, "-o", built[version], source], check=True)
    return built


@contextmanager
def sampled(folder: Path, versions: dict[str, Path]) -> Iterator[Served]:
    """Both versions, one after the other, each until there are samples enough."""
    with serving(folder) as served, ExitStack() as collectors:
        for host in HOSTS:
            collect = ["collect", "--server", served.collectors, "--host-name", host]
            collect += ["--spool", str(folder / host), "-F", "499", "--interval", "1s"]
            collect += ["--rule", ONLY_STEPS]
            collectors.enter_context(running(*collect, log=folder / f"{host}.log"))
        for version, program in versions.items():
            environment = {"DD_SERVICE": "till", "DD_VERSION": version}
            with subprocess.Popen([program], env=environment) as process:
                try:
                    eventually(partial(enough, served, version), f"version {version}")
                finally:
                    process.kill()
        yield served


def enough(served: Served, version: str) -> bool | None:
    """Whether every host has its part of the samples."""
    found = [
        served.get("top", query=f'cpu{{service_version="{version}",host_name="{host}"}}')["total"]
        for host in HOSTS
    ]
    return all(total["samples"] >= SAMPLES // len(HOSTS) for total in found) or None


def test_what_a_deploy_made_slower_stands_first(
    page: Page, versions: dict[str, Path], tmp_path: Path
) -> None:
    with sampled(tmp_path, versions) as served:
        for explorer in watched(Explorer(page, served)):
            page.goto(f'{served.origin}/?query=cpu{{service_name="till"}}&from=now-10m')
            explorer.settle()
            page.get_by_role("button", name="Compare").click()
            page.get_by_role("button", name="till 2 with 1").click()
            rows = page.locator("tr[data-change]")
            expect(rows.first).to_contain_text("step_f")
            expect(rows.first).to_have_attribute("data-change", "grown")
            expect(rows.first).to_contain_text(" pp to +")
            changes: list[tuple[str, str]] = rows.evaluate_all(
                """rows => rows.map((row) =>
                  [row.querySelector(".top-function").textContent, row.dataset.change])"""
            )
    found = dict(changes)
    differ = [name for name in STEPS if found[name] != "noise"]
    assert found["step_f"] == "grown"
    # Of what is said to differ, 5 % may be chance: more than two of eleven were not.
    assert len(differ) <= 3, differ
