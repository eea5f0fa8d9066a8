"""A session that the page asks for, of a collector that samples this machine."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import watched
from tests.browser.explorer import Explorer
from tests.browser.served import Served, serving
from tests.processes import eventually, running

pytestmark = pytest.mark.kernel

ONLY_WORKER = 'action = "keep", source_labels = ["process_executable_name"], regex = "worker"'
"""So that no time goes into reading the symbols of whatever else is busy here."""
WORKER = 'cpu{process_executable_name="worker"}'
USUAL_NS, CLOSER_NS = 10**9 // 99, 10**9 // 999
"""What a sample stands for at each of the rates."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server, and a collector that drains after 2, 4, 8, 16 … s; something is busy."""
    folder = tmp_path_factory.mktemp("machine")
    worker, log = folder / "worker", folder / "collect.log"
    shutil.copy("/bin/dash", worker)
    with serving(folder) as served, subprocess.Popen([worker, "-c", "while :; do :; done"]) as busy:
        collect = ["collect", "--server", served.collectors, "--spool", str(folder / "spool")]
        limits = ["--interval", "1h", "--on-demand-duration", "60s"]
        try:
            with running(*collect, *limits, log=log):
                yield served
        finally:
            busy.kill()


def totals(served: Served, query: str = WORKER) -> tuple[int, int]:
    """Samples, and nanoseconds of one."""
    total = served.get("top", query=query)["total"]
    return total["samples"], total["value"] // max(total["samples"], 1)


@pytest.fixture
def explorer(page: Page, machine: Served) -> Iterator[Explorer]:
    eventually(lambda: totals(machine)[0] or None, "samples of the worker")
    yield from watched(Explorer(page, machine))


def ask(explorer: Explorer, seconds: str, hertz: str = "999") -> None:
    page = explorer.page
    page.goto(f"{explorer.server.origin}/?query={WORKER}")
    explorer.settle()
    page.get_by_role("button", name="Closer look").click()
    form = page.locator(".closer-form")
    form.get_by_label("For").select_option(seconds)
    form.get_by_label("At").select_option(hertz)
    page.get_by_role("button", name="Start").click()


def test_a_session_is_shown_when_it_ends_and_not_with_the_next_drain(
    explorer: Explorer, machine: Served
) -> None:
    """The usual profile is drained 8 s after the start at the earliest, and then 16 s after it."""

    def drains() -> int:
        profiles: int = machine.get("top", query=WORKER)["coverage"]["profiles"]
        return profiles

    seen = max(drains(), 2)
    drained = eventually(lambda: now if (now := drains()) > seen else None, "the next drain")
    ask(explorer, "1s")
    expect(explorer.page.get_by_role("button", name="Sampling…")).to_be_visible()
    expect(explorer.page.get_by_label("Profile type")).to_have_value("cpu_on_demand")
    explorer.settle()
    session = explorer.state["query"]
    samples, period = totals(machine, session)
    assert drains() == drained
    assert (samples > 100, period) == (True, CLOSER_NS)
    assert explorer.figure("shown").startswith(f"Shown {samples:,} samples")
    assert totals(machine)[1] == USUAL_NS


def test_a_session_is_stopped_from_the_page(explorer: Explorer, machine: Served) -> None:
    ask(explorer, "2m", "199")
    hosts = explorer.page.get_by_label("The session")
    expect(hosts).to_contain_text("samples")
    explorer.page.get_by_role("button", name="Stop").click()
    expect(hosts).to_contain_text("cut")
    expect(hosts).to_contain_text("stopped by who asked")
    explorer.settle()
    assert explorer.state["query"].startswith("cpu_on_demand{profiler_session=")
    assert totals(machine, explorer.state["query"])[1] == 10**9 // 199


def test_a_refusal_says_why(explorer: Explorer, machine: Served) -> None:
    explorer.page.goto(f'{machine.origin}/?query=cpu{{host_name="nobody"}}')
    explorer.settle()
    explorer.expect_console("400")
    explorer.page.get_by_role("button", name="Closer look").click()
    explorer.page.get_by_role("button", name="Start").click()
    expect(explorer.page.get_by_role("alert")).to_contain_text("nothing was sampled of")
