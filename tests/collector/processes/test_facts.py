import os

from hypothesis import given
from hypothesis import strategies as st

from collector.processes.facts import executable_name, parse_stat, parse_status
from collector.processes.procfs import ProcFs

STAT = b"42 (%s) S 1 42 42 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 8731 0 0\n"


def test_the_name_of_a_process_may_hold_brackets_and_spaces() -> None:
    stat = parse_stat(STAT % b"a) R 1 (b")
    assert stat and stat.comm == "a) R 1 (b" and stat.start_ticks == 8731
    assert not stat.kernel_thread


def test_kernel_threads_carry_their_flag() -> None:
    stat = parse_stat(b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 3 0 0")
    assert stat and stat.kernel_thread


def test_a_stat_that_is_cut_says_nothing() -> None:
    assert parse_stat(b"42 (web) S 1 42") is None
    assert parse_stat(b"") is None


def test_status_gives_the_pid_that_the_process_sees_and_its_effective_user() -> None:
    status = parse_status(b"Name:\tx\nUid:\t1\t2\t3\t4\nPid:\t900\nNSpid:\t900\t17\t1\n")
    assert status and (status.uid, status.namespace_pid) == (2, 1)


def test_without_namespaces_the_pid_is_the_pid() -> None:
    status = parse_status(b"Uid:\t0\t0\t0\t0\nPid:\t900\n")
    assert status and status.namespace_pid == 900


def test_an_executable_is_named_by_the_last_part_of_its_path() -> None:
    assert executable_name(b"/usr/bin/python3.11 (deleted)") == "python3.11"
    assert executable_name(b"/opt/caf\xe9\x1b[31m") == "caf\\xe9\\x1b[31m"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(noise: bytes) -> None:
    parse_stat(noise)
    parse_status(noise)
    executable_name(noise)


def test_this_process_is_what_it_is() -> None:
    proc = ProcFs()
    status = proc.status(os.getpid())
    assert status and status.uid == os.geteuid()
    assert proc.stat(os.getpid()) is not None
    assert proc.stat(2**22 + 1) is None and proc.maps(2**22 + 1) is None
