"""A pair of collector id and sequence is handed out once, whatever happens in between."""

from pathlib import Path

import pytest

from collector.delivery import durable
from collector.delivery.identity import PROMISED_AT_ONCE, Identity


def test_pairs_are_never_repeated_by_those_who_come_after(tmp_path: Path) -> None:
    pairs = []
    for taken in (1, PROMISED_AT_ONCE - 1, PROMISED_AT_ONCE + 1, 3):
        identity = Identity(tmp_path / "identity")
        pairs += [identity.take() for _ in range(taken)]
    assert len(set(pairs)) == len(pairs)
    assert len({collector_id for collector_id, _ in pairs}) == 1
    assert [number for _, number in pairs] == sorted(number for _, number in pairs)


def test_numbers_known_to_be_used_are_passed_over(tmp_path: Path) -> None:
    assert Identity(tmp_path / "identity", used=41).take()[1] == 42


def test_where_nothing_can_be_promised_the_id_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Identity(tmp_path / "identity").take()

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "replace", full)
    identity = Identity(tmp_path / "identity")
    meanwhile = [identity.take() for _ in range(PROMISED_AT_ONCE + 1)]
    assert len(set(meanwhile)) == len(meanwhile)
    assert before[0] not in {collector_id for collector_id, _ in meanwhile}
    monkeypatch.undo()
    assert Identity(tmp_path / "identity").take()[0] == before[0]


@pytest.mark.parametrize("text", ["", "nonsense", "ff 3 m", "zz" * 16 + " 1 m", "\xff"])
def test_a_damaged_file_makes_a_new_collector(tmp_path: Path, text: str) -> None:
    path = tmp_path / "identity"
    path.write_text(text, "latin-1")
    collector_id, number = Identity(path).take()
    assert len(collector_id) == 16 and number == 1
    assert Identity(path).take()[0] == collector_id


def test_a_copied_disk_is_another_collector(tmp_path: Path) -> None:
    path, here, there = tmp_path / "identity", tmp_path / "here", tmp_path / "there"
    here.write_text("b08dfa6083e7567a1921a715000001fb\n")
    there.write_text("00000000000000000000000000000002\n")
    original = Identity(path, machine_id=here).take()
    assert Identity(path, machine_id=here).take()[0] == original[0]
    assert Identity(path, machine_id=there).take()[0] != original[0]
