"""How much of each day there is: hosts, samples, losses."""

from flask import Blueprint, Response

from profiler.timerange import SECOND
from server.api import urls
from server.api.arguments import SELECTION, Arguments, ParameterError
from server.api.backend import backend
from server.api.context import sums
from server.api.responses import answer
from server.api.timeline import MOST_BUCKETS
from server.query import selection
from server.store import accounts
from server.store.hours import DAY_HOURS, HOUR_NS

_MS = SECOND // 1000

_STEPS = {"1d": DAY_HOURS * HOUR_NS, "1h": HOUR_NS}

blueprint = Blueprint("coverage", __name__)


@blueprint.get(urls.COVERAGE)
def show() -> Response:
    given = Arguments(*SELECTION, "step")
    selector, within = given.selector(), given.within()
    step_ns = _STEPS[given.choice("step", _STEPS)]
    if (within.to_ns - within.from_ns) // step_ns > MOST_BUCKETS:
        raise ParameterError("from", f"more than {MOST_BUCKETS} buckets")
    with backend().database.read() as transaction:
        chosen = selection.select(transaction, backend().tenant, selector, within)
        names = selection.hosts(transaction, chosen)
        kept = chosen.kept
        found = accounts.by_time(
            transaction, chosen.tenant, selector.profile_type, kept, step_ns, names
        )
    return answer(
        {
            "from": within.from_ns // _MS,
            "to": within.to_ns // _MS,
            "step": step_ns // _MS,
            "buckets": [
                {"time": start_ns // _MS, "hosts": hosts} | sums(one)
                for start_ns, (hosts, one) in sorted(found.items())
            ],
        }
    )
