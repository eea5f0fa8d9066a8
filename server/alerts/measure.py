"""What a rule's condition is about, measured: a share, or what the gate says of two ranges.

A share is exact. Growth is judged by `profiler.analysis.gate`, on hosts or windows, so that it is
told from noise; of the same range a week before, or of what ran right before the newest deploy.
How often it is judged, `looks` has.
"""

from dataclasses import dataclass, replace

import sqlalchemy as sa

from profiler.analysis import gate, interrupts, moved
from profiler.analysis.gate import MIN_SAMPLES, Finding, Outcome, Terms, Verdict
from profiler.errors import NotComparable, UsageError
from profiler.selector import Matcher, Selector
from profiler.timerange import UNITS
from server.alerts import looks
from server.alerts.looks import LOOKS
from server.alerts.rules import Condition, Rule
from server.alerts.state import Reading
from server.query import comparison, deploys, function, matching, selection
from server.query.history import Chosen
from server.query.selection import Selection
from server.query.units import SHORTEST_NS
from server.store.catalog import SERVICE
from server.store.deploys import Deploy
from server.store.function_tree import FunctionTrees
from server.store.hours import TimeRange
from server.store.sums import add_up
from server.store.symbols import SymbolReader

ALPHA = 0.001
"""How often it is said of one window, or of one deploy, that something grew where nothing did, all
looks together. A gate in CI is asked once a change; this is asked for all windows of a day, one
after another: of an hour, that is one false alarm in 40 days."""

DEPLOY_NS = UNITS["d"]
"""How long after a deploy its functions are compared with what ran before it."""

_NAMED = 3
"""Functions, in what people read."""

_NAME_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Source:
    """Where samples are, and who reads their names."""

    transaction: sa.Connection
    tenant: str
    symbols: SymbolReader
    functions: FunctionTrees

    def select(self, selector: Selector, within: TimeRange) -> Selection:
        return selection.select(self.transaction, self.tenant, selector, within)


def measure(source: Source, rule: Rule, now_ns: int) -> Reading:
    """Raises UsageError where the rule means too much."""
    now = source.select(rule.selector, TimeRange(max(now_ns - rule.window_ns, 0), now_ns))
    if rule.condition is Condition.SHARE:
        return _shared(*_share(source, now, rule), rule)
    share = _share_beside(source, now, rule)
    if rule.condition is Condition.GROWTH:
        reading = _grown_in_a_week(source, rule, now_ns)
    else:
        reading = _after_deploy(source, rule, now_ns)
    return replace(reading, share=share)


def _share(source: Source, now: Selection, rule: Rule) -> tuple[float | None, int]:
    """Of the functions together, each stack counted once, and their samples."""
    keys = matching.matching(source.transaction, source.functions, now, rule.bound.pattern or "")
    sums = add_up(source.transaction, now.groups, now.kept)
    if not sums.value:
        return None, 0
    found = function.find(
        source.transaction, source.symbols, source.functions, Chosen(keys), list(sums.columns)
    )
    costs = found.costs(sums).sum(axis=1)
    samples, value = costs[0::2] if rule.bound.column == "self" else costs[1::2]
    return float(value / sums.value), int(samples)


def _share_beside(source: Source, now: Selection, rule: Rule) -> float | None:
    """For the metrics, where the condition is another one."""
    if rule.bound.pattern is None:
        return None
    try:
        share, _ = _share(source, now, rule)
    except UsageError:  # growth can be that of more functions than are added up
        return None
    return share


def _shared(share: float | None, samples: int, rule: Rule) -> Reading:
    if share is None:
        return Reading(False, detail="no samples")
    detail = f"{share:.2%} of all"
    if samples < MIN_SAMPLES:
        return Reading(False, share, share, samples, f"{detail}, of too few samples")
    return Reading(share > rule.bound.relative, share, share, samples, detail)


def _grown_in_a_week(source: Source, rule: Rule, now_ns: int) -> Reading:
    end_ns = looks.ends(now_ns, rule.window_ns)
    then, now = (
        source.select(rule.selector, TimeRange(max(to_ns - rule.window_ns, 0), max(to_ns, 1)))
        for to_ns in (end_ns - UNITS["w"], end_ns)
    )
    return _compared(source, rule, then, now)


def _after_deploy(source: Source, rule: Rule, now_ns: int) -> Reading:
    recent = TimeRange(max(now_ns - DEPLOY_NS, 0), now_ns)
    newest = next(deploys.select(source.transaction, source.tenant, rule.selector, recent), None)
    if newest is None:
        return Reading(False, detail="no deploy in the last day")
    began_ns, program = newest.began_ns, newest.version.program
    length_ns = looks.since_deploy(now_ns - began_ns, rule.window_ns)
    named = f"{program.service} {newest.version.name}"[:_NAME_CHARACTERS]
    if length_ns < SHORTEST_NS:
        return Reading(False, detail=f"{named}: deployed just now")
    before = source.select(
        _of(rule.selector, newest, newest.previous),
        TimeRange(max(began_ns - length_ns, 0), began_ns),
    )
    after = source.select(
        _of(rule.selector, newest, newest.version.name), TimeRange(began_ns, began_ns + length_ns)
    )
    reading = _compared(source, rule, before, after)
    return replace(reading, detail=f"{named}: {reading.detail}")


def _of(selector: Selector, deploy: Deploy, version: str) -> Selector:
    """The service's series of a version; where it is a build-id, which is no label, all."""
    service, environment, executable = deploy.version.program
    labels = {
        SERVICE: service,
        "deployment_environment_name": environment,
        "service_version": "" if executable else version,
    }
    matchers = (Matcher(name, "=", value) for name, value in labels.items() if value)
    return replace(selector, matchers=(*selector.matchers, *matchers))


def _compared(source: Source, rule: Rule, before: Selection, after: Selection) -> Reading:
    read = comparison.read(source.transaction, source.functions, before, after)
    try:
        both, _ = comparison.union(read)
    except NotComparable as error:
        return Reading(False, detail=f"nothing to compare: {error}")
    asked = terms(rule)
    verdict = gate.excuse(
        gate.judge(both.sides, both.keys, asked),
        lambda found: (
            interrupts.reason(both, found.function, found.rule.column)
            or moved.reason(both, found.function, found.rule.column, asked)
        ),
    )
    return _judged(verdict, rule)


def terms(rule: Rule) -> Terms:
    """Of one look."""
    return Terms(rules=(rule.bound,), alpha=ALPHA / LOOKS, strict="holm")


def _judged(verdict: Verdict, rule: Rule) -> Reading:
    failed = verdict.failures
    if verdict.outcome is Outcome.FAIL:
        named = ", ".join(map(_grown, failed[:_NAMED]))
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        samples = sum(found.samples[1] for found in failed)
        return Reading(True, _growth(failed[0], rule), None, samples, f"{named}{more}")
    reasons = "; ".join(verdict.reasons) or "nothing grew more than by chance"
    shown = [found for found in verdict.findings if not found.excuse]
    value = _growth(shown[0], rule) if shown else None
    return Reading(False, value, None, sum(found.samples[1] for found in shown[:1]), reasons)


def _growth(found: Finding, rule: Rule) -> float | None:
    """In the unit of the bound; None where the function is new."""
    return found.difference if rule.bound.absolute else found.relative


def _grown(found: Finding) -> str:
    name = found.key[0][:_NAME_CHARACTERS]
    return f"{name} {found.before:.2%} → {found.after:.2%}"
