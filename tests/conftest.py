"""What tests of several packages stand on."""

from collections.abc import Iterator

import pytest

from tests.postgres import Postgres, PostgresMissingError, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this run; tests that use it are marked `postgres`."""
    try:
        with running() as server:
            yield server
    except PostgresMissingError as error:
        pytest.skip(str(error))
