"""What tests of several packages stand on."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from profiler.errors import ProfilerError
from tests.postgres import Postgres, PostgresMissingError, running

# `profiler up` forks children, and its tests do so beside those that use gRPC: gRPC's own handling
# of forks runs threads in the child, on descriptors that are closed, and aborts it now and then.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

# How busy the machine is, is no property of what is tested; nor is luck: what fails, fails for
# everybody. `pytest --hypothesis-profile=search` tries other examples each time.
settings.register_profile(
    "search",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("suite", settings.get_profile("search"), derandomize=True)
settings.load_profile("suite")

# A shell starts its background jobs with SIGINT ignored, and what they start inherits that: then
# no test could interrupt a command.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this run; tests that use it are marked `postgres`."""
    try:
        with running(in_memory=True) as server:
            yield server
    except PostgresMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def unable() -> str:
    """Why this machine cannot run the tests marked `kernel`; empty where it can."""
    from collector.kernel import perf_event
    from collector.kernel.loader import load

    try:
        perf_event.available(perf_event.CPU_CLOCK, 99)
        load("auto").close()
    except ProfilerError as error:
        return str(error)
    return ""


@pytest.fixture(autouse=True)
def skip_where_the_kernel_refuses(
    request: pytest.FixtureRequest,
) -> None:
    if request.node.get_closest_marker("kernel"):
        reason = request.getfixturevalue("unable")
        if reason:
            pytest.skip(reason)
