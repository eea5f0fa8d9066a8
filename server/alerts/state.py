"""What becomes of a rule's standing when it is evaluated.

    inactive ──> pending ──> firing ──> resolved
        └───────────┘  └───────┘ (for 0 s)   └──> pending

An evaluation that fails says nothing of the condition, and leaves the state as it was: an alert is
not over because the database does not answer.
"""

from dataclasses import dataclass, replace

from server.store.alerts import Standing, State


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured: whether the condition holds, and the rest as `Standing` has it."""

    holds: bool
    value: float | None = None
    share: float | None = None
    samples: int = 0
    detail: str = ""


def step(before: Standing, reading: Reading, for_ns: int, now_ns: int) -> Standing:
    """`for_ns` is how long the condition must hold before the alert fires."""
    measured = replace(
        before,
        evaluated_ns=now_ns,
        value=reading.value,
        share=reading.share,
        samples=reading.samples,
        detail=reading.detail,
        error="",
    )
    if not reading.holds:
        return _over(measured, now_ns)
    if before.state in (State.INACTIVE, State.RESOLVED):
        measured = replace(measured, state=State.PENDING, since_ns=now_ns)
    if measured.state is State.PENDING and now_ns - measured.since_ns >= for_ns:
        return replace(measured, state=State.FIRING, since_ns=now_ns, began_ns=now_ns)
    return measured


def fail(before: Standing, error: str, now_ns: int) -> Standing:
    return replace(before, evaluated_ns=now_ns, error=error)


def untold(standing: Standing) -> State | None:
    """What the webhook is still to hear."""
    fires = standing.state is State.FIRING
    if fires == (standing.told == State.FIRING):
        return None
    return State.FIRING if fires else State.RESOLVED


def _over(standing: Standing, now_ns: int) -> Standing:
    ended = {State.PENDING: State.INACTIVE, State.FIRING: State.RESOLVED}.get(standing.state)
    return replace(standing, state=ended, since_ns=now_ns) if ended else standing
