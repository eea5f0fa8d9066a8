"""The spool's promises: nothing is lost that is not counted, nothing is counted twice."""

import os
import resource
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.delivery import batchfile
from collector.delivery import spool as spools
from collector.delivery.spool import WINDOW, Spool
from profiler import wire
from profiler.errors import FormatError, UsageError
from profiler.model import Drain
from profiler.wire.limits import MESSAGE_BYTES
from tests.collector.delivery.drains import SECOND_NS, drain, held, losses, taken


def content(spool: Spool) -> list[Drain]:
    """Everything that the spool holds, in order."""
    found = []
    for sequence in list(spool._entries):
        read = spool.read(sequence)
        assert read is not None
        found.append(read[1])
    return found


def delivered(spool: Spool) -> dict[int, Drain]:
    """Takes everything out of the spool in the way of an exporter, by sequence."""
    arrived = {}
    while due := spool.due():
        read = spool.read(due[0])
        assert read is not None
        arrived[due[0]] = read[1]
        spool.remove(due[0])
    return arrived


def size_of_a_batch(directory: Path) -> int:
    with Spool(directory) as spool:
        spool.append(drain(0, 400, padding=200))
        return spool.size_bytes


def test_batches_come_back_in_order_after_a_restart(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        for number in range(12):
            spool.append(drain(number))
        assert len(spool.due()) == WINDOW
        first = spool.due()[0]
        assert spool.remove(first) == 10
        assert spool.remove(first) == 0
    with Spool(tmp_path) as spool:
        assert [found.start_ns for found in content(spool)] == [
            number * SECOND_NS for number in range(1, 12)
        ]


def test_a_number_is_never_used_again_even_when_all_was_delivered(tmp_path: Path) -> None:
    used: list[tuple[bytes, int]] = []
    for _ in range(3):
        with Spool(tmp_path) as spool:
            for number in range(3):
                spool.append(drain(number))
                read = spool.read(spool.due()[0])
                assert read is not None
                used.append((read[0], spool.due()[0]))
                spool.remove(spool.due()[0])
    assert len({identity for identity, _ in used}) == 1
    assert [number for _, number in used] == sorted({number for _, number in used})


def test_two_collectors_cannot_share_a_spool(tmp_path: Path) -> None:
    with Spool(tmp_path), pytest.raises(UsageError, match="another collector uses it") as refusal:
        Spool(tmp_path)
    assert "--spool DIR" in str(refusal.value)
    Spool(tmp_path).close()


def test_a_directory_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Not a directory; choose another with --spool DIR"):
        Spool(tmp_path / "file" / "spool")


def test_a_full_spool_drops_the_oldest_that_nobody_has_seen(tmp_path: Path) -> None:
    batch = size_of_a_batch(tmp_path / "one")
    sent = [drain(number, 400, padding=200) for number in range(40)]
    with Spool(tmp_path / "spool", limit_bytes=20 * batch) as spool:
        for each in sent:
            spool.append(each)
            assert spool.size_bytes <= 20.5 * batch
        found = content(spool)
        assert held(found[:WINDOW]) == WINDOW * 400, "what may be on its way is kept"
        gap = found[WINDOW]
        assert gap.profiles == () and gap.unaccounted == 0
        assert gap.start_ns == WINDOW * SECOND_NS, "one batch speaks for all that were dropped"
        assert held(found[WINDOW + 1 :]) == (len(found) - WINDOW - 1) * 400
        assert gap.start_ns + gap.duration_ns == found[WINDOW + 1].start_ns
        assert taken(found) == taken(sent)
        assert losses(found) == {"ring_full": 40, "spool_full": taken(sent) - held(found) - 40}
        assert spool.lost == {"spool_full": losses(found)["spool_full"]}
        files = list((tmp_path / "spool").glob("*.batch"))
        assert len(files) == len(found) and sum(f.stat().st_size for f in files) <= 20.5 * batch


def test_a_batch_on_its_way_keeps_its_number_when_it_is_dropped(tmp_path: Path) -> None:
    with Spool(tmp_path, limit_bytes=1) as spool:
        for number in range(3):
            spool.append(drain(number))
        numbers, found = spool.due(), content(spool)
    assert numbers == [1, 2, 3]
    assert [each.losses for each in found] == [{"ring_full": 1, "spool_full": 10}] * 3
    assert [each.start_ns for each in found] == [0, SECOND_NS, 2 * SECOND_NS]


actions = st.lists(st.sampled_from(["append", "append", "append", "deliver", "kill"]), max_size=40)


@settings(max_examples=60)
@given(actions=actions, bound=st.integers(0, 30))
def test_every_sample_arrives_or_is_counted_once(
    actions: list[str], bound: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Acknowledgements may be lost: the server then sees a batch again, and keeps the first."""
    directory = tmp_path_factory.mktemp("spool")
    spool = Spool(directory, limit_bytes=bound * 700)
    server: dict[int, Drain] = {}
    sent = []
    for number, action in enumerate(actions):
        if action == "append":
            sent.append(drain(number, 40, padding=30))
            spool.append(sent[-1])
        elif action == "deliver":
            for sequence in spool.due():
                read = spool.read(sequence)
                assert read is not None
                server.setdefault(sequence, read[1])
            for sequence in spool.due()[: number % 3]:
                spool.remove(sequence)
        else:
            spool._lock.close()  # as the kernel does for a process that is killed
            spool = Spool(directory, limit_bytes=bound * 700)
    for sequence, arrived in delivered(spool).items():
        server.setdefault(sequence, arrived)
    spool.close()
    assert taken(server.values()) == taken(sent)
    assert all(arrived.unaccounted == 0 for arrived in server.values())


WRITER = """
import sys
from pathlib import Path
from collector.delivery.spool import Spool
from tests.collector.delivery.drains import drain

spool = Spool(Path(sys.argv[1]), limit_bytes=int(sys.argv[2]))
for number in range(int(sys.argv[3]), 10**9):
    spool.append(drain(number, 40, padding=30))
    print(number, flush=True)
"""


@pytest.mark.parametrize("limit_bytes", [1 << 30, 20_000])
def test_kill_9_loses_nothing_that_was_appended(tmp_path: Path, limit_bytes: int) -> None:
    appended = 0
    for round_ in range(4):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(limit_bytes), str(appended)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(30 + round_):
                said = writer.stdout.readline()
            os.kill(writer.pid, signal.SIGKILL)
            said = writer.stdout.read().rpartition("\n")[0].rpartition("\n")[2] or said
        with Spool(tmp_path, limit_bytes=1 << 30) as spool:
            assert spool.damaged == 0
            found = content(spool)
        appended = (found[-1].start_ns + found[-1].duration_ns) // SECOND_NS
        assert appended >= int(said) + 1
        assert taken(found) == 41 * appended
        assert all(each.unaccounted == 0 for each in found)


class Killed(BaseException):
    """As SIGKILL: nothing that the process would still do to the disk is done."""


def dying_after(steps: int, patch: pytest.MonkeyPatch) -> None:
    """Lets the process die instead of its next write, rename or removal but `steps`."""
    for name in ("open", "replace", "unlink"):
        done = getattr(Path, name)

        def step(path: Path, *arguments: Any, done: Any = done, **options: Any) -> Any:
            nonlocal steps
            if steps == 0:
                raise Killed
            steps -= 1
            return done(path, *arguments, **options)

        patch.setattr(Path, name, step)


@pytest.mark.parametrize("steps", range(80))
def test_killed_at_any_step_it_counts_every_sample_once(steps: int, tmp_path: Path) -> None:
    """Fourteen appends to a spool of about ten batches: the last ones drop and merge."""
    appended = 0
    spool = Spool(tmp_path, limit_bytes=4800)
    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        dying_after(steps, patch)
        for number in range(14):
            spool.append(drain(number, 40, padding=30))
            appended = number + 1
    spool._lock.close()
    with Spool(tmp_path) as spool:
        assert spool.damaged == 0
        assert taken(content(spool)) in (41 * appended, 41 * (appended + 1))
        assert all(each.unaccounted == 0 for each in content(spool))
    assert not list(tmp_path.glob("*.tmp"))


def damage(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


def test_a_file_with_damaged_samples_still_says_how_many_there_were(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        for number in range(3):
            spool.append(drain(number))
    files = sorted(tmp_path.glob("*.batch"))
    damage(files[0], -1)
    files[1].write_bytes(files[1].read_bytes()[:-40])
    with Spool(tmp_path) as spool:
        found = content(spool)
        assert spool.damaged == 2
        assert spool.lost == {"spool_damaged": 20}
    assert taken(found) == 33
    assert held(found) == 10
    assert losses(found) == {"ring_full": 3, "spool_damaged": 20}


def test_a_file_that_unpacks_to_more_than_a_batch_is_damaged(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(drain(0))
    (path,) = tmp_path.glob("*.batch")
    packed = zstandard.compress(bytes(MESSAGE_BYTES + 1))
    accounts = batchfile.dumps(batchfile.loads_accounts(path.read_bytes()))
    path.write_bytes(accounts + batchfile.HEADER.pack(zlib.crc32(packed), len(packed)) + packed)
    with pytest.raises(FormatError, match="a batch of 33554433 bytes"):
        batchfile.loads(path.read_bytes())
    with Spool(tmp_path) as spool:
        assert losses(content(spool)) == {"ring_full": 1, "spool_damaged": 10}
        assert spool.damaged == 1


def test_a_file_cut_behind_its_accounts_is_damaged(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(drain(0))
    whole = next(tmp_path.glob("*.batch"))
    length = int.from_bytes(whole.read_bytes()[4:8], "little")
    whole.write_bytes(whole.read_bytes()[: 8 + length])
    with Spool(tmp_path) as spool:
        found = content(spool)
    assert found[0].losses == {"ring_full": 1, "spool_damaged": 10}


def test_a_file_of_which_nothing_can_be_read_is_counted_and_removed(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(drain(0))
        spool.append(drain(1))
    first = min(tmp_path.glob("*.batch"))
    damage(first, 10)
    (tmp_path / "000000000007-000000000007.batch").touch()
    with Spool(tmp_path) as spool:
        assert spool.damaged == 2
        assert [each.start_ns for each in content(spool)] == [SECOND_NS]
        spool.append(drain(2))
    assert not first.exists()


def test_a_file_that_vanishes_costs_its_samples_only(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(drain(0))
        next(tmp_path.glob("*.batch")).unlink()
        newest = drain(1)
        spool.append(newest)
        assert content(spool)[0].losses == {"ring_full": 1, "spool_damaged": 10}
        assert content(spool)[1] is newest, "it is in memory"


def test_what_was_refused_is_kept_as_a_recording_and_its_loss_is_sent(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(drain(0))
        sequence = spool.due()[0]
        spool.refuse(sequence)
        assert content(spool)[0].losses == {"ring_full": 1, "refused": 10}
        assert spool.due() == [sequence]
        with (tmp_path / "refused.pb").open("rb") as file:
            assert held(map(wire.decode, wire.read_batches(file))) == 10
        spool.refuse(sequence)
        assert spool.due() == []


def test_a_batch_too_large_for_a_message_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "MESSAGE_BYTES", 100)
    with Spool(tmp_path) as spool:
        spool.append(drain(0))
        assert content(spool)[0].losses == {"ring_full": 1, "refused": 10}


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(directory)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this machine does not let us mount a tmpfs")
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def test_a_full_disk_keeps_batches_in_memory_and_then_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "MEMORY_BYTES", 50_000)
    sent = [drain(number, 4000, padding=2000) for number in range(60)]
    with small_disk(tmp_path / "disk") as directory:
        with Spool(directory) as spool:
            for each in sent[:40]:
                spool.append(each)
            found = content(spool)
            assert taken(found) == taken(sent[:40])
            assert all(each.unaccounted == 0 for each in found)
            assert 200_000 < spool.size_bytes < (256 << 10) + 60_000
            assert spool.lost["spool_full"] == losses(found)["spool_full"] > 0
            arrived = list(delivered(spool).values())
            for each in sent[40:44]:
                spool.append(each)
        with Spool(directory) as spool:
            arrived += delivered(spool).values()
    assert taken(arrived) == taken(sent[:44])


def test_files_that_may_not_grow_do_not_stop_the_collector(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with Spool(tmp_path) as spool:
            for number in range(5):
                spool.append(drain(number, 4000, padding=2000))
            assert held(content(spool)) == 20_000
            assert list(tmp_path.glob("*.batch")) == []
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with Spool(tmp_path) as spool:
        assert held(content(spool)) == 20_000, "written when the disk took it again"


def test_appending_touches_no_more_files_when_many_were_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Spool(tmp_path, limit_bytes=10_000) as spool:
        for number in range(50):
            spool.append(drain(number))
        assert spool.batches < 45
        dying_after(12, monkeypatch)  # steps, for 200 too
        spool.append(drain(50))
