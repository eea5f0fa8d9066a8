"""The logs: what two writers number at once, and what a log with a hole means."""

import numpy as np
import pytest
import sqlalchemy as sa
from numpy.typing import NDArray

from server.store import codec
from server.store.blob import DamagedError
from server.store.bounded import BoundedCache
from server.store.codec import FrameRow
from server.store.database import Database
from server.store.schema import frame_log, node_log
from server.store.symbols import SymbolReader, SymbolWriter


def frame(name: str) -> FrameRow:
    return (name, "", 0, "", "", 0, 0, 0)


def number(writer: SymbolWriter, database: Database, *path: str) -> list[int]:
    """The numbers of the nodes of one path."""
    with database.write() as transaction:
        frames = writer.number_frames(transaction, [frame(name) for name in path])
        known = [0] + [-1] * len(path)
        parents = [0, *range(len(path))]
        return writer.number_nodes(transaction, known, parents, [0, *frames])[1:]


def test_a_writer_that_comes_second_takes_the_numbers_of_the_first(database: Database) -> None:
    first, second = SymbolWriter(1, 0), SymbolWriter(1, 0)
    assert number(first, database, "main", "f") == [1, 2]
    assert number(second, database, "main", "g") == [1, 3]
    assert number(first, database, "main", "g", "h") == [1, 3, 4]
    assert number(second, database, "main", "f") == [1, 2]


def test_another_epoch_numbers_from_the_beginning(database: Database) -> None:
    assert number(SymbolWriter(1, 0), database, "main", "f") == [1, 2]
    assert number(SymbolWriter(1, 1), database, "f") == [1]


def test_a_reader_reads_only_the_tail(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader = SymbolWriter(1, 0), SymbolReader()
    number(writer, database, "main", "f")
    with database.read() as transaction:
        assert len(reader.tree(transaction, 1, 0).parents) == 3
    number(writer, database, "main", "f", "g")
    read: list[int] = []
    decode = codec.decode_nodes

    def decoded(blob: bytes, first: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        read.append(first)
        return decode(blob, first)

    monkeypatch.setattr(codec, "decode_nodes", decoded)
    with database.read() as transaction:
        tree = reader.tree(transaction, 1, 0)
    assert read == [3]
    assert tree.parents.tolist() == [-1, 0, 1, 2]
    assert [tree.frames[frame].function for frame in tree.node_frames[1:]] == ["main", "f", "g"]


@pytest.mark.parametrize("log", [frame_log, node_log], ids=lambda log: log.name)
def test_a_log_with_a_hole_is_not_read(database: Database, log: sa.Table) -> None:
    writer = SymbolWriter(1, 0)
    number(writer, database, "main")
    number(writer, database, "main", "f")
    with database.write() as transaction:
        first = transaction.execute(sa.select(sa.func.min(log.c.first_id))).scalar_one()
        transaction.execute(log.delete().where(log.c.first_id == first))
    with (
        database.read() as transaction,
        pytest.raises(DamagedError, match=f"{log.name} of scope 1, epoch 0: nothing stands at"),
    ):
        SymbolWriter(1, 0).load(transaction)


def test_a_cache_holds_no_more_than_its_bound_and_drops_the_oldest() -> None:
    cache = BoundedCache[str, int](10, weight=lambda value: value)
    cache.put("a", 4)
    cache.put("b", 4)
    assert cache.get("a") == 4  # now b is the one that was not used for longest
    cache.put("c", 4)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), cache.weight) == (4, None, 4, 8)
    cache.put("d", 99)
    assert (cache.get("d"), cache.weight) == (99, 99)
    cache.forget("d")
    assert (cache.get("d"), cache.weight) == (None, 0)
