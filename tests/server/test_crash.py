"""Servers and maintainers are killed for some seconds; `make bench-crash` does so for minutes."""

import random
from pathlib import Path

import pytest

from tests.server.crash.mutations import MUTATIONS, ROOT, mutated
from tests.server.crash.run import run

SECONDS = 7.0


@pytest.mark.usefixtures("database")  # on a cluster, no server lays out its tables
def test_nothing_acknowledged_is_lost_or_doubled_and_all_levels_agree(
    url: str, tmp_path: Path
) -> None:
    result = run(url, tmp_path, SECONDS, seed=random.getrandbits(32))
    print(result)
    assert not result.lost and not result.duplicated and not result.mismatches, result
    assert result.tried and result.sums


def test_every_mutation_of_the_store_has_its_place() -> None:
    """`make bench-crash ARGS=--mutations` shows that each makes the test above fail."""
    for mutation in MUTATIONS:
        assert mutated(mutation, (ROOT / mutation.file).read_text())
