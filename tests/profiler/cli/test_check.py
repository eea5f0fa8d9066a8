"""`profiler check` and `profiler diff` on files, by their exit codes and what they print."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from profiler.analysis.diff import Change
from profiler.formats import pprof
from profiler.model import OFF_CPU, Frame, Profile, ProfileBuilder
from profiler.reports.svg import COLOURS
from tests.builders import profile
from tests.profiler.analysis.test_gate import BEFORE, SLOWER, side
from tests.profiler.cli.conftest import Run
from tests.profiler.cli.fake_server import FakeServer


def folder(path: Path, units: list[Profile]) -> str:
    path.mkdir()
    for number, unit in enumerate(units):
        (path / f"run-{number:02}.pb.gz").write_bytes(pprof.dumps(unit))
    return str(path)


@pytest.fixture
def before(tmp_path: Path) -> str:
    return folder(tmp_path / "before", side(*BEFORE))


@pytest.fixture
def after(tmp_path: Path) -> str:
    return folder(tmp_path / "after", side(*SLOWER, seed=1))


@pytest.fixture
def again(tmp_path: Path) -> str:
    return folder(tmp_path / "again", side(*BEFORE, seed=2))


def test_a_regression_is_exit_1_and_names_the_function(run: Run, before: str, after: str) -> None:
    code, out, err = run("check", "--baseline", before, "--candidate", after)
    assert (code, err) == (1, "")
    headline, first, *_ = out.splitlines()
    assert headline.startswith("regression: ")
    assert first.split()[:2] in (["self", "f"], ["total", "f"])
    assert f"baseline {before}, candidate {after}: 6 and 6 hosts or runs" in out


def test_no_regression_is_exit_0_and_says_what_would_have_been_found(
    run: Run, before: str, again: str
) -> None:
    code, out, _ = run("check", "--baseline", before, "--candidate", again)
    assert code == 0
    assert "no regression found: 4 functions tested" in out
    assert "would have been found in half of the functions" in out


def test_names_of_files_are_safe_to_print(run: Run, tmp_path: Path, before: str) -> None:
    (strange := Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n\x1b[2J"))).mkdir()
    for file in Path(before).iterdir():
        (strange / file.name).write_bytes(file.read_bytes())
    for command in ("diff", "check"):
        sides = ("--baseline", before, "--candidate") if command == "check" else (before,)
        for format in ("json", *(("terminal", "sarif") if command == "check" else ("table",))):
            code, out, err = run(command, *sides, str(strange), "--format", format)
            assert (code, err) == (0, "")
            assert "\x1b" not in out


def test_samples_from_before_the_program_was_known_are_told_of_and_left_out(
    run: Run, tmp_path: Path, before: str
) -> None:
    early = [f"[truncated: no unwind table];{line.removeprefix('main;')}" for line in BEFORE]
    busy = folder(tmp_path / "busy", side(*BEFORE, *(f"{line[:-2]}0" for line in early)))
    code, out, _ = run("check", "--baseline", busy, "--candidate", before)
    assert code == 0
    assert "note: 9% of the baseline's samples and 0% of the candidate's are left out" in out


def test_too_few_runs_are_exit_3_unless_told_otherwise(
    run: Run, tmp_path: Path, after: str
) -> None:
    few = folder(tmp_path / "few", side(*BEFORE, runs=2))
    asked = ("check", "--baseline", few, "--candidate", after)
    code, out, _ = run(*asked)
    assert (code, out.splitlines()[0]) == (
        3,
        "inconclusive: 2 and 6 units: a side needs 3 hosts or runs",
    )
    assert run(*asked, "--inconclusive", "pass")[0] == 0
    assert run(*asked, "--inconclusive", "fail")[0] == 1


def test_what_cannot_be_compared_is_exit_4(run: Run, tmp_path: Path, before: str) -> None:
    other = folder(tmp_path / "other", [profile("f 100", type=OFF_CPU)] * 3)
    code, out, err = run("check", "--baseline", before, "--candidate", other)
    assert (code, out) == (4, "")
    assert "different types" in err


def test_costs_by_request_need_no_rule_of_ones_own(run: Run, before: str, after: str) -> None:
    asked = ("check", "--baseline", before, "--candidate", after, "--per", "request")
    code, out, err = run(*asked, "--requests", "6,6")
    assert (code, err) == (1, "")
    assert "total  main  40" in out  # 4,000 samples of 10 ms
    assert " s -> 45" in out


def test_a_function_that_no_rule_means_is_said_to_be_missing(run: Run, before: str) -> None:
    asked = ("check", "--baseline", before, "--candidate", before)
    code, out, _ = run(*asked, "--fail", "self:nothing>+1%")
    assert code == 3
    assert "no function that a rule is about has 40 samples" in out


def test_a_folder_without_files_is_named(run: Run, tmp_path: Path, before: str) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = run("check", "--baseline", before, "--candidate", str(tmp_path / "empty"))
    assert code == 2
    assert "no files in the folder" in err


def test_reports_beside_the_code_name_the_line_in_the_candidates_sources(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(folder: str, counts: tuple[int, int]) -> list[Profile]:
        builder = ProfileBuilder()
        for line, count in zip((7, 8), counts, strict=True):
            builder.add((Frame("f", f"{folder}/src/f.c", line),), count, count)
        builder.add((Frame("g", f"{folder}/src/g.c", 3),), 2000, 2000)
        return [builder.build()] * 4

    one = folder(tmp_path / "1", built("/a", (500, 100)))
    other = folder(tmp_path / "2", built(str(tmp_path), (500, 600)))
    monkeypatch.chdir(tmp_path)
    asked = ("check", "--baseline", one, "--candidate", other, "--format")
    assert run(*asked, "github")[1].startswith("::error file=src/f.c,line=8,title=f got slower::")
    (result, *_) = json.loads(run(*asked, "sarif")[1])["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "src/f.c"},
        "region": {"startLine": 8},
    }
    (finding, *_) = json.loads(run(*asked, "json")[1])["findings"]
    assert (finding["file"], finding["line"]) == ("src/f.c", 8)


def test_a_server_that_does_not_answer_is_no_regression(run: Run, before: str) -> None:
    asked = ("check", "--baseline", before, "--candidate", "cpu{}@now-1h..now")
    assert run(*asked, "--server", "http://127.0.0.1:1")[0] == 4


def test_a_side_without_samples_is_named_with_what_there_is(
    run: Run, server: FakeServer, before: str
) -> None:
    server.answer("/api/v1/labels/host_name/values", {"from": 1000, "to": 2000, "values": []})
    server.answer("/api/v1/profile-types", {"profile_types": [{"name": "cpu"}]})
    asked = ("check", "--baseline", before, "--candidate", "off_cpu@now-2h..now-1h")
    code, _, err = run(*asked, "--server", server.url)
    assert code == 4
    assert err == (
        "profiler: no samples of off_cpu from now-2h to now-1h:"
        " no profile type is 'off_cpu'; there are: cpu\n"
    )


def test_a_report_that_cannot_be_written_is_no_regression(
    run: Run, before: str, again: str
) -> None:
    asked = ("check", "--baseline", before, "--candidate", again)
    assert run(*asked, "--report", "junit=/nowhere/x.xml")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fail", "self+1pp"], "expected COLUMN"),
        (["--fail", "self>+1pp", "--per", "cores"], "add --per share"),
        (["--report", "junit"], "expected one of terminal"),
        (["--requests", "12"], "expected two numbers"),
        (["--must-detect", "x"], "--must-detect 'x': expected"),
        (["--ignore", "/nowhere"], "cannot read /nowhere"),
    ],
)
def test_a_mistake_is_exit_2(run: Run, before: str, arguments: list[str], message: str) -> None:
    code, _, err = run("check", "--baseline", before, "--candidate", before, *arguments)
    assert code == 2
    assert message in err


def test_a_candidate_alone_is_refused_unless_it_is_a_deploy(run: Run, before: str) -> None:
    code, _, err = run("check", "--candidate", before)
    assert code == 2
    assert "give two sides, or a deploy" in err


def test_ignored_functions_are_named_with_the_reason(
    run: Run, tmp_path: Path, before: str, after: str
) -> None:
    entry = '[[ignore]]\nfunction = "f"\nreason = "known"\nexpires = {}\n'
    file = tmp_path / "ignore.toml"
    asked = ("check", "--baseline", before, "--candidate", after, "--ignore", str(file))
    file.write_text(entry.format("9999-01-01"))
    code, out, _ = run(*asked)
    assert code == 0
    assert "not counted: f (self)" in out
    assert "ignored until 9999-01-01: known" in out
    file.write_text(entry.format("9999-01-01").replace("known", r"a\n::set-output::b\u001b[2J"))
    for format in ("terminal", "markdown", "github"):
        _, out, _ = run(*asked, "--format", format)
        assert "::b" in out.replace("%3A", ":")
        assert not any(line.startswith("::set") or "\x1b" in line for line in out.split("\n"))
    code, _, err = run(*asked[:-1], "/dev/zero")
    assert (code, err) == (2, "profiler: /dev/zero has more than 1,048,576 bytes\n")
    file.write_text(entry.format("2020-01-01"))
    code, out, _ = run(*asked)
    assert code == 1
    assert "expired on 2020-01-01, no longer ignored: f (known)" in out


def test_cost_that_moved_fails_only_where_that_is_asked_for(run: Run, tmp_path: Path) -> None:
    rest = ("main;other 3000",)
    one = folder(tmp_path / "1", side("main;handle;a 600", "main;handle;b 600", *rest))
    other = folder(tmp_path / "2", side("main;handle;a 900", "main;handle;b 300", *rest, seed=1))
    asked = ("check", "--baseline", one, "--candidate", other)
    code, out, _ = run(*asked)
    assert code == 0
    assert "moved within handle, which did not grow" in out
    assert run(*asked, "--count-moved")[0] == 1


def test_reports_are_written_beside_what_is_printed(
    run: Run, tmp_path: Path, before: str, after: str
) -> None:
    files = {name: tmp_path / name for name in ("junit", "sarif", "json", "markdown", "github")}
    copies = [part for name, file in files.items() for part in ("--report", f"{name}={file}")]
    flame = tmp_path / "difference.folded"
    asked = ("check", "--baseline", before, "--candidate", after, "--flamegraph", str(flame))
    code, out, _ = run(*asked, *copies)
    assert code == 1
    assert out.startswith("regression: ")
    assert f"flamegraph of the difference: {flame}" in out
    failures = ElementTree.parse(files["junit"]).getroot().findall("testcase/failure")
    assert len(failures) == 2
    results = json.loads(files["sarif"].read_text())["runs"][0]["results"]
    assert {one["locations"][0]["logicalLocations"][0]["name"] for one in results} == {"f"}
    document = json.loads(files["json"].read_text())
    assert (document["outcome"], document["tested"]) == ("fail", 4)
    assert "| f | self | 12." in files["markdown"].read_text()
    assert files["github"].read_text().startswith("::error title=f got slower::f (")
    stacks = [line.split(" ") for line in flame.read_text().splitlines()]
    assert [stack for stack, *_ in stacks] == ["main;f", "main;g", "main;h"]
    assert all(len(counts) == 2 for _, *counts in stacks)


def test_the_difference_is_drawn_and_what_differs_is_coloured(
    run: Run, tmp_path: Path, before: str, after: str
) -> None:
    picture = tmp_path / "difference.svg"
    run("check", "--baseline", before, "--candidate", after, "--flamegraph", str(picture))
    groups = ElementTree.parse(picture).getroot().findall("{http://www.w3.org/2000/svg}g")
    titles = {group[0].text or "": group[1].attrib for group in groups}
    (f,) = (box for title, box in titles.items() if title.startswith("f: 12."))
    (main,) = (box for title, box in titles.items() if title.startswith("main: "))
    assert (f["fill"], main["fill"]) == (COLOURS[Change.GROWN], COLOURS[Change.NOISE])
    assert float(main["width"]) > 1190


def test_calibration_measures_false_alarms_on_ones_own_runs(run: Run, tmp_path: Path) -> None:
    runs = folder(tmp_path / "runs", side(*BEFORE, runs=8))
    code, out, _ = run("check", "--candidate", runs, "--calibrate")
    assert code == 0
    assert out.startswith("false alarms: ")
    assert "200 divisions of the 8 units" in out


def test_a_diff_lists_what_became_of_functions(run: Run, before: str, after: str) -> None:
    code, out, err = run("diff", before, after)
    assert (code, err) == (0, "")
    line = next(line for line in out.splitlines() if line.split()[-1:] == ["f"])
    assert "grown" in line
    document = json.loads(run("diff", before, after, "--format", "json")[1])
    (f,) = [row for row in document["functions"] if row["function"] == "f"]
    assert f["self"]["change"] == "grown"
    assert f["self"]["low"] < f["self"]["difference"] < f["self"]["high"]


def test_a_diff_with_itself_lists_nothing(run: Run, before: str) -> None:
    _, out, _ = run("diff", before, before)
    assert out.splitlines()[1:] == ["4 functions do not differ by more than noise in self"]
    assert "main" in run("diff", before, before, "--all")[1]


def test_single_files_are_compared_and_that_is_said(run: Run, before: str, after: str) -> None:
    _, out, _ = run("diff", f"{before}/run-00.pb.gz", f"{after}/run-00.pb.gz")
    assert "fewer than 3 runs or hosts a side" in out


def test_a_diff_as_folded_stacks_has_two_counts(run: Run, before: str, after: str) -> None:
    _, out, _ = run("diff", before, after, "--format", "folded")
    assert len(out.splitlines()) == 3
