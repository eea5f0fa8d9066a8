"""The deploys that a selector means.

Matchers on what a deploy itself has are about the deploy; of the others, `host_name="a"` and the
like, it means the services that have such series.
"""

from collections.abc import Iterator
from dataclasses import replace

import sqlalchemy as sa

from profiler.selector import Selector
from server.store import catalog, deploys
from server.store.catalog import SERVICE
from server.store.deploys import Deploy
from server.store.hours import TimeRange

OWN = (
    *(SERVICE, "service_version", "deployment_environment_name"),
    *("vcs_ref_head_revision", "process_executable_name"),
)


def select(
    transaction: sa.Connection, tenant: str, selector: Selector, within: TimeRange
) -> Iterator[Deploy]:
    """Those that began in the range, the newest first."""
    mine = replace(selector, matchers=tuple(m for m in selector.matchers if m.name in OWN))
    for one in deploys.select(
        transaction, tenant, within, _services(transaction, tenant, selector)
    ):
        if mine.matches(_labels(one)):
            yield one


def _services(transaction: sa.Connection, tenant: str, selector: Selector) -> set[str] | None:
    """None: all of them."""
    named = tuple(m for m in selector.matchers if m.name == SERVICE)
    others = tuple(m for m in selector.matchers if m.name not in OWN)
    if others:
        wanted = replace(selector, matchers=(*named, *others))
        found = catalog.select(transaction, tenant, wanted)
        return {series.labels.get(SERVICE, "") for series in found}
    equal = {m.value for m in named if m.op == "=" and "\0" not in m.value}
    return equal or None


def _labels(one: Deploy) -> dict[str, str]:
    values = (*one.version.program, one.version.name, one.revision)
    service, environment, executable, version, revision = values
    return dict(zip(OWN, (service, version, environment, revision, executable), strict=True))
