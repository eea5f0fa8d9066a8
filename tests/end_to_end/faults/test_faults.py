"""Whatever happens to a node or its server: samples taken = stored + lost by a named cause."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.delivery.mark import CAUSE
from tests.end_to_end.faults import rows
from tests.end_to_end.faults.node import Outcome
from tests.end_to_end.faults.rows import Row

pytestmark = pytest.mark.kernel

KEEP = 'action = "keep", source_labels = ["process_executable_name"], regex = "split"'
OPTIONS = ("--interval", "500ms", "--frequency", "199", "--rule", KEEP)
"""What else runs here is counted as excluded: naming it would take a busy machine minutes."""
SECONDS = 3.0
"""Of each fault: some drains, and the first new attempt of a sender."""


def outcome(row: Row, folder: Path, program: Path, options: Sequence[str] = ()) -> Outcome:
    found = row(folder, program, SECONDS, (*OPTIONS, *options))
    assert found.closes, found
    return found


@pytest.mark.parametrize(
    ("row", "said"),
    [
        pytest.param(rows.server_killed, "UNAVAILABLE", id="server-killed"),
        pytest.param(rows.database_locked, "", id="database-locked"),
        pytest.param(rows.network_cut, "", id="network-cut"),
        pytest.param(rows.clock_set_back, "", id="clock-set-back"),
        pytest.param(rows.cpu_offline, "was offline", id="cpu-offline"),
        pytest.param(rows.spool_disk_full, "keeping batches in memory", id="disk-full"),
        pytest.param(rows.collector_killed_uncounted, "was not counted", id="killed-uncounted"),
    ],
)
def test_nothing_that_was_counted_is_lost(row: Row, said: str, split: Path, tmp_path: Path) -> None:
    found = outcome(row, tmp_path, split)
    assert set(found.losses) <= {"excluded"}
    assert found.stored
    assert said in found.said
    assert found.said.count("was offline") <= 1


def test_a_full_disk_and_a_full_spool_lose_samples_by_name(split: Path, tmp_path: Path) -> None:
    found = outcome(rows.spool_disk_full, tmp_path, split, ("--spool-size", "4KiB"))
    assert set(found.losses) - {"excluded"} == {"spool_full"}


def test_what_a_killed_collector_loses_is_counted(split: Path, tmp_path: Path) -> None:
    """What is taken was read from the kernel, by others than the collector."""
    found = outcome(rows.collector_killed, tmp_path, split)
    assert set(found.losses) - {"excluded"} == {CAUSE}
    assert found.losses[CAUSE] > 0
    assert "was not counted" not in found.said
