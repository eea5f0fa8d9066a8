"""The ways to wait for a grace period. That it is long enough, test_sampler.py holds."""

from pathlib import Path

import pytest

from collector.kernel import grace, syscalls

DESCRIPTORS = Path("/proc/self/fd")


def no_membarrier(command: int) -> int:
    raise OSError(22, "Invalid argument")  # as with nohz_full CPUs


@pytest.mark.kernel
def test_a_map_of_maps_waits_where_membarrier_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "membarrier", no_membarrier)
    before = len(list(DESCRIPTORS.iterdir()))
    assert grace.wait() == "map-in-map"
    assert len(list(DESCRIPTORS.iterdir())) == before


def test_membarrier_is_the_first_choice() -> None:
    query, global_ = 0, 1
    if not syscalls.membarrier(query) & global_:
        pytest.skip("membarrier has no MEMBARRIER_CMD_GLOBAL here: nohz_full CPUs")
    assert grace.wait() == "membarrier"


def test_a_fence_is_free_of_errors() -> None:
    grace.fence()
