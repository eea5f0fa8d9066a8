import gzip
from pathlib import Path

import pytest

from profiler.formats import files, pprof
from profiler.model import ProfileType
from tests.builders import profile, stacks
from tests.profiler.cli.conftest import Run
from tests.profiler.cli.fake_server import FakeServer


def test_a_file_becomes_another_by_its_ending(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("main;f 3\n")
    for source, target in (
        ("a.txt", "a.pb.gz"),
        ("a.pb.gz", "a.pb"),
        ("a.pb", "a.speedscope.json"),
        ("a.speedscope.json", "b.folded"),
    ):
        assert run("convert", str(tmp_path / source), str(tmp_path / target)) == (0, "", "")
    assert (tmp_path / "b.folded").read_text() == "main;f 3\n"


def test_several_files_are_added(run: Run, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.folded").write_text("main;f 3\n")
    (tmp_path / ".hidden").write_text("no profile")
    assert run("convert", str(tmp_path), "-") == (0, "main;f 6\n", "")
    assert run("convert", f"{tmp_path}/[ab].folded", "-") == (0, "main;f 6\n", "")
    assert run("export", f"{tmp_path}/a.folded") == (0, "main;f 3\n", "")


def test_a_selector_is_asked_for(run: Run, server: FakeServer) -> None:
    data = pprof.dumps(profile("main;f 3"))
    server.answers["/api/v1/profiles"] = (200, "application/octet-stream", data)
    code, out, _ = run("convert", 'cpu{a="b@c"}@now-2h..now-1h', "-", "--server", server.url)
    assert (code, out) == (0, "main;f 3\n")
    assert server.asked == [
        (
            "/api/v1/profiles",
            {"query": 'cpu{a="b@c"}', "from": "now-2h", "to": "now-1h", "format": "pprof"},
        )
    ]


def test_a_type_is_chosen_where_a_file_holds_several(run: Run, tmp_path: Path) -> None:
    faults = ProfileType("page_faults", "count")
    both = [profile("main;f 3"), profile("main;g 2", type=faults, period=1)]
    path = tmp_path / "a.pb.gz"
    path.write_bytes(pprof.dumps_all(both))
    code, out, err = run("convert", str(path), "-")
    assert (code, out) == (0, "main;f 3\n")
    assert "also holds page_faults: choose with --type" in err
    assert run("convert", str(path), "-", "--type", "page_faults") == (0, "main;g 2\n", "")
    code, _, err = run("convert", str(path), "-", "--type", "heap")
    assert code == 2
    assert "holds no 'heap'; choose --type from cpu, page_faults" in err
    chosen = ("export", "flame", "top")
    for command in chosen:
        code, out, err = run(command, str(path), "--type", "page_faults")
        assert (code, err) == (0, "") and "g" in out


def test_a_type_and_a_unit_are_safe_to_print(run: Run, tmp_path: Path) -> None:
    types = [ProfileType("a", "[/red]\x1b[2J"), ProfileType("\x1b]0;b", "count")]
    path = tmp_path / "a.pb.gz"
    path.write_bytes(pprof.dumps_all([profile("main 1", type=type) for type in types]))
    for arguments in (("top", str(path)), ("top", str(path), "--sort", "total")):
        code, out, err = run(*arguments)
        assert code == 0
        assert "\x1b" not in out + err
        assert "]0;b" in err and "[2J" in out


def test_a_speedscope_file_that_says_no_samples_is_folded_by_its_values(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "a.speedscope.json"
    path.write_text(
        '{"shared": {"frames": [{"name": "main"}]}, "profiles": [{"type": "sampled", "name": "t",'
        '"unit": "bytes", "samples": [[0]], "weights": [7]}]}'
    )
    assert run("convert", str(path), "-") == (0, "main 7\n", "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello\n", "none of the formats"),
        (b"main 1\nwhat\n", "line 2: expected a count after the last space, got 'what'"),
        (gzip.compress(b"main 1\n" * 1000)[:-9], "not a gzip file"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_file(
    run: Run, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "a.folded"
    path.write_bytes(content)
    code, out, err = run("convert", str(path), "-")
    assert (code, out) == (2, "")
    assert err.startswith(f"profiler: {path}: ") and message in err and err.count("\n") == 1


def test_bad_lines_are_left_out_where_that_is_asked_for(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.folded"
    path.write_text("main 1\nwhat\n?\n")
    code, out, err = run("convert", "--skip-bad-lines", str(path), "-")
    assert (code, out) == (0, "main 1\n")
    assert f"{path}: left out line 2: " in err and "(and 1 more unreadable line)" in err


def test_no_such_file_and_no_such_folder(run: Run, tmp_path: Path) -> None:
    code, _, err = run("convert", str(tmp_path / "a.folded"), "-")
    assert code == 2 and "no file" in err
    (tmp_path / "a.folded").write_text("main 1\n")
    code, _, err = run("convert", str(tmp_path / "a.folded"), str(tmp_path / "no/b.folded"))
    assert code == 1 and "cannot write" in err


def test_the_table_of_a_file_is_printed_once(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.pb.gz"
    path.write_bytes(pprof.dumps(profile("main;f 3", "main;g 1")))
    code, out, _ = run("top", str(path))
    assert code == 0
    headline, head, first, *_ = out.splitlines()
    assert headline == f"{path}: cpu, 40.0 ms in 4 samples"
    assert head.split() == ["self", "total", "function", "binary"]
    assert first.split() == ["75.0", "%", "30.0", "ms", "75.0", "%", "30.0", "ms", "f"]


def test_what_is_converted_holds_the_same(run: Run, tmp_path: Path) -> None:
    whole = profile("thread:worker;main;do_nanosleep_[k] 2", "thread:worker;[truncated: depth];g 1")
    for name in ("a.pb.gz", "a.pb"):
        (tmp_path / "in.pb.gz").write_bytes(pprof.dumps(whole))
        assert run("convert", str(tmp_path / "in.pb.gz"), str(tmp_path / name))[0] == 0
        (read,) = files.loads((tmp_path / name).read_bytes())
        assert stacks(read) == stacks(whole)
        assert {frame.kind for frame in read.frames} == {frame.kind for frame in whole.frames}
