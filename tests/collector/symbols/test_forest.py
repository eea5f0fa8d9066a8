"""What is kept from drain to drain changes nothing in what a drain is shown as."""

from pathlib import Path

import pytest

from collector.sources.raw import RawSample
from collector.symbols import forest
from collector.symbols.answer import Answer
from collector.symbols.symbolizer import Symbolizer
from collector.unwind.python.stacks import PythonFrame
from profiler.model import Drain
from tests.collector.processes.fake_proc import maps_line
from tests.collector.symbols import programs
from tests.collector.symbols.drains import NOBODY, drain_of, map_of, on_fakes


def shown(drain: Drain) -> dict[tuple[str, ...], int]:
    """Stacks by the names of their frames."""
    return {
        tuple(frame.function for frame in stack): samples
        for profile in drain.profiles
        for stack, samples, _ in profile.stacks()
    }


@pytest.mark.parametrize("max_nodes", [forest.MAX_NODES, 0])
def test_the_same_samples_are_the_same_profiles_in_every_drain(
    max_nodes: int, symbolizer: Symbolizer, c_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forest, "MAX_NODES", max_nodes)
    with programs.running(c_program) as program:
        at = program.addresses
        samples = [
            RawSample(program.pid, "main", (at["hidden"], at["outer"] + 1), (1, 2), 3),
            RawSample(program.pid, "main", (at["hidden"],), (), 4, "depth"),
            RawSample(NOBODY, "vanished", (at["hidden"],), (), 2),
        ]
        first = shown(symbolizer.symbolize(drain_of(*samples)))
        fewer = shown(symbolizer.symbolize(drain_of(samples[1])))
        again = shown(symbolizer.symbolize(drain_of(*samples)))
    assert len(first) == 3
    assert again == first
    assert fewer == {stack: n for stack, n in first.items() if n == 4}


def test_what_was_named_is_not_asked_for_again(symbolizer: Symbolizer, c_program: Path) -> None:
    with programs.running(c_program) as program:
        sample = RawSample(program.pid, "main", (program.addresses["hidden"],), (), 1)
        for _ in range(3):
            symbolizer.symbolize(drain_of(sample))
    assert symbolizer.counters.named == 1


def test_a_drain_that_could_not_be_named_leaves_nothing_to_the_next_one(
    symbolizer: Symbolizer,
) -> None:
    def broken(pid: int, frame: PythonFrame) -> Answer:
        raise RuntimeError("a mistake in the naming")

    native = RawSample(NOBODY, "t", (0x10010,), (), 3)
    python = RawSample(NOBODY - 1, "t", (PythonFrame(0x20000, 0, 0), 0x10010), (), 4)
    symbolizer.symbolize(drain_of(native))
    with pytest.raises(RuntimeError):
        symbolizer.symbolize(drain_of(native, python), broken)
    drain = symbolizer.symbolize(drain_of(native))
    assert (drain.unaccounted, sum(shown(drain).values())) == (0, 3)


def test_code_that_took_the_place_of_other_code_has_its_own_name(tmp_path: Path) -> None:
    sample = RawSample(7, "node", (0x10010, 0x10111), (), 1)
    with on_fakes(tmp_path) as (symbolizer, proc):
        where = proc.process(7, "node", maps=maps_line(0x10000, 0x20000))
        for name in ("first", "second"):
            code = f"10000 20 {name}\n10100 20 caller\n"
            (where / "root/tmp/perf-7.map").write_text(code)
            (stack,) = shown(symbolizer.symbolize(drain_of(sample)))
            assert stack == ("node", "caller", name)


def test_a_file_in_the_place_of_another_has_its_own_names(tmp_path: Path, c_program: Path) -> None:
    at = 0x10000 + programs.address_of("hidden", c_program)
    with on_fakes(tmp_path) as (symbolizer, proc):
        sample = RawSample(7, "t", (at,), (), 1)
        for maps, name in (
            (map_of(c_program), "hidden"),
            (maps_line(0x10000, 0x20000, "/lib/other.so"), "[unknown] other.so"),
        ):
            proc.process(7, maps=maps)
            (stack,) = shown(symbolizer.symbolize(drain_of(sample)))
            assert stack[-1].startswith(name)
