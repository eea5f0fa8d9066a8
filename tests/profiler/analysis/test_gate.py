from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from profiler.analysis import calibration, gate, union
from profiler.analysis.correction import benjamini_hochberg, divisions, holm, swaps
from profiler.analysis.gate import Finding, Outcome, Terms, Verdict, judge
from profiler.analysis.rules import parse
from profiler.errors import NotComparable, UsageError
from profiler.model import Profile
from tests.builders import profile

SELF = (parse("self>+0pp"),)
DEFAULT = Terms()


def side(
    *lines: str, runs: int = 6, seed: int = 0, hosts: bool = False, duration_ns: int = 0
) -> list[Profile]:
    """Runs that differ by a few samples from the folded `lines`."""
    random = np.random.default_rng(seed)
    units = []
    for run in range(runs):
        counted = []
        for line in lines:
            stack, _, count = line.rpartition(" ")
            counted.append(f"{stack} {random.poisson(int(count))}")
        labels = (("host_name", f"h{run}"),) if hosts else ()
        units.append(profile(*counted, labels=labels, duration_ns=duration_ns))
    return units


def verdict(before: Sequence[Profile], after: Sequence[Profile], terms: Terms = DEFAULT) -> Verdict:
    both = union.of(before, after)
    return judge(both.sides, both.keys, terms)


def names(findings: Sequence[Finding]) -> list[str]:
    return [finding.key[0] for finding in findings]


BEFORE = ("main;f 500", "main;g 1500", "main;h 2000")
SLOWER = ("main;f 1000", "main;g 1500", "main;h 2000")


def test_a_function_that_grew_fails_and_is_named_first() -> None:
    found = verdict(side(*BEFORE), side(*SLOWER, seed=1))
    assert found.outcome is Outcome.FAIL
    assert names(found.failures)[0] == "f"
    first = found.failures[0]
    assert first.before == pytest.approx(0.125, abs=0.01)
    assert first.after == pytest.approx(1000 / 4500, abs=0.01)
    assert 0 < first.least < first.difference


def test_equal_sides_pass_and_say_what_would_have_been_found() -> None:
    found = verdict(side(*BEFORE), side(*BEFORE, seed=1))
    assert (found.outcome, found.failures) == (Outcome.PASS, ())
    assert all(0 < finding.detectable < 0.05 for finding in found.findings if finding.before < 0.9)


def test_growth_up_to_the_margin_passes() -> None:
    for text in ("self:f>+12pp", "self:f>+100%"):
        assert (
            verdict(side(*BEFORE), side(*SLOWER, seed=1), Terms((parse(text),))).outcome
            is Outcome.PASS
        )
    for text in ("self:f>+5pp", "self:f>+50%"):
        assert (
            verdict(side(*BEFORE), side(*SLOWER, seed=1), Terms((parse(text),))).outcome
            is Outcome.FAIL
        )


def test_a_rule_is_about_the_functions_that_match() -> None:
    found = verdict(side(*BEFORE), side(*SLOWER, seed=1), Terms((parse("self:[gh]>+0pp"),)))
    assert (found.outcome, set(names(found.findings))) == (Outcome.PASS, {"g", "h"})


def test_a_total_counts_a_recursive_stack_once() -> None:
    found = verdict(
        side("main;f;f;g 500", "main;h 1500"), side("main;f;f;g 1000", "main;h 1500", seed=1)
    )
    (total,) = [one for one in found.findings if one.key[0] == "f" and one.rule.column == "total"]
    assert total.before == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("strict", ["holm", "max-t"])
def test_strict_finds_what_is_plain(strict: gate.Strict) -> None:
    terms = Terms(strict=strict)
    assert "f" in names(verdict(side(*BEFORE), side(*SLOWER, seed=1), terms).failures)
    assert verdict(side(*BEFORE), side(*BEFORE, seed=1), terms).outcome is Outcome.PASS


def test_two_runs_a_side_are_inconclusive_whatever_they_hold() -> None:
    found = verdict(side(*BEFORE, runs=2), side(*SLOWER, seed=1))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.reasons == ("2 and 6 units: a side needs 3 hosts or runs",)


def test_too_few_samples_are_inconclusive() -> None:
    found = verdict(side("f 1"), side("f 1"))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.reasons == ("no function has 40 samples on both sides together",)


def test_what_must_be_detectable_and_is_not_makes_a_pass_inconclusive() -> None:
    for text, outcome in (("self>+0.1pp", Outcome.INCONCLUSIVE), ("self>+20pp", Outcome.PASS)):
        terms = Terms(SELF, sensitivity=parse(text))
        assert verdict(side(*BEFORE), side(*BEFORE, seed=1), terms).outcome is outcome


def hosts(shares: Sequence[float], seed: int) -> list[Profile]:
    random = np.random.default_rng(seed)
    return [
        profile(
            f"main;f {random.binomial(20_000, share)}",
            "main;g 9000",
            "main;h 9000",
            labels=(("host_name", f"h{number}"),),
        )
        for number, share in enumerate(shares)
    ]


def test_hosts_that_stand_on_both_sides_are_compared_with_themselves() -> None:
    before, after = hosts([0.1, 0.2, 0.3, 0.4, 0.5], 1), hosts([0.13, 0.23, 0.33, 0.43, 0.53], 2)
    found = verdict(before, after[::-1], Terms(SELF))
    assert found.paired
    assert names(found.failures) == ["f"]
    strangers = [replace(unit, labels=()) for unit in after]
    assert verdict(before, strangers, Terms(SELF)).outcome is Outcome.PASS


def test_cores_and_requests_are_denominators_of_their_own() -> None:
    before = side(*BEFORE, duration_ns=100 * 10**9)
    after = side(*BEFORE, seed=1, duration_ns=50 * 10**9)  # as many samples in half the time
    assert verdict(before, after).outcome is Outcome.PASS
    cores = verdict(before, after, Terms(per="cores"))
    assert set(names(cores.failures)) == {"main", "f", "g", "h"}
    assert cores.failures[0].before == pytest.approx(40 * 0.01, rel=0.02)
    requests = Terms(per="request", requests=(6_000, 3_000))
    assert names(verdict(before, after, requests).failures)[0] == "main"
    assert (
        verdict(before, after, replace(requests, requests=(6_000, 6_000))).outcome is Outcome.PASS
    )


def test_a_denominator_that_is_not_known_is_refused() -> None:
    with pytest.raises(NotComparable, match="how long"):
        verdict(side(*BEFORE), side(*BEFORE), Terms(per="cores"))
    with pytest.raises(UsageError, match="--requests"):
        verdict(side(*BEFORE), side(*BEFORE), Terms(per="request"))


def test_excused_failures_do_not_fail() -> None:
    failed = verdict(side(*BEFORE), side(*SLOWER, seed=1), Terms(SELF))
    excused = gate.excuse(failed, lambda finding: "known" if finding.key[0] == "f" else "")
    assert (excused.outcome, names(excused.excused)) == (Outcome.PASS, ["f"])
    assert gate.excuse(failed, lambda finding: "").outcome is Outcome.FAIL


def test_corrections_reject_no_more_than_they_say() -> None:
    p = np.array([0.041, 0.011, 0.02, 0.9, 0.012])
    assert benjamini_hochberg(p, 0.05).tolist() == [False, True, True, False, True]
    assert holm(p, 0.05).tolist() == [False, False, False, False, False]
    assert holm(p[:0], 0.05).tolist() == benjamini_hochberg(p[:0], 0.05).tolist() == []


def test_the_first_division_is_the_one_there_is() -> None:
    for units in (3, 10):
        ways = divisions(units, units)
        assert ways[0].tolist() == [0.0] * units + [1.0] * units
        assert set(ways.sum(axis=1)) == {units}
    assert len(divisions(3, 3)) == 20
    assert swaps(3).tolist()[0] == [1, 1, 1]
    assert len(np.unique(swaps(4), axis=0)) == 16


def test_calibration_divides_one_side_into_two() -> None:
    both = union.of(side(*BEFORE, runs=12), side(*BEFORE, runs=3))
    found = calibration.measure(both.sides[0], both.keys, Terms(), divisions=50)
    assert (found.units, found.divisions) == (12, 50)
    assert found.rate < 0.2
    with pytest.raises(NotComparable, match="two sides need 6"):
        calibration.measure(both.sides[1], both.keys, Terms())
