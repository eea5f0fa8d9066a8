"""What the collectors of a crash test have measured, drawn from a seed."""

import random

from profiler.model import Profile
from tests import builders
from tests.server.crash.ledger import Batch, batch_name
from tests.server.crash.servers import EPOCH_NODES
from tests.server.drains import drain

SERVICES = ("cart", "seldom")
OFTEN = (9, 1)
HOSTS = 2
"""So that several batches of an hour have the same series: its chunk is written several times."""

MOST_COLLECTORS = 8

PERIODS = (builders.PERIOD_NS, 2 * builders.PERIOD_NS)
STACKS = [f"main;f{f};g{g}" for f in range(4) for g in range(6)]


class Host:
    """The drains of one collector's host."""

    def __init__(self, collector: int, choose: random.Random) -> None:
        self._collector = collector
        self._name = f"h{collector % HOSTS}"
        self._choose = choose
        self._sequence = 0
        self._last_ns = 0

    def measure(self, now_ns: int) -> Batch:
        """A batch of this moment; no two of all hosts begin at the same."""
        choose = self._choose
        chosen = set(choose.choices(SERVICES, OFTEN, k=choose.randint(1, 4)))
        return self._batch(now_ns, [self._profile(service) for service in sorted(chosen)])

    def too_much(self, now_ns: int) -> Batch:
        """A batch that is refused for its last service, when others have been numbered."""
        last = [f"main;h{number} 1" for number in range(EPOCH_NODES + 1)]
        return self._batch(now_ns, [self._profile("cart"), self._profile("too much", *last)])

    def _batch(self, now_ns: int, profiles: list[Profile]) -> Batch:
        own_ns = now_ns - now_ns % MOST_COLLECTORS + self._collector
        self._last_ns = start_ns = max(own_ns, self._last_ns + MOST_COLLECTORS)
        lost = self._choose.choice((0, 0, 0, 5))
        held = drain(
            *profiles,
            start_ns=start_ns,
            host=self._name,
            losses={"ring_full": lost} if lost else {},
        )
        self._sequence += 1
        return Batch(self._collector, self._sequence - 1, held)

    def _profile(self, service: str, *more: str) -> Profile:
        choose = self._choose
        lines = [f"{batch_name(self._collector, self._sequence)} 1", *more]
        lines += [f"{stack} {choose.randint(1, 9)}" for stack in choose.sample(STACKS, 4)]
        labels = {"host_name": self._name, "service_name": service}
        return builders.profile(
            *lines, period=choose.choice(PERIODS), labels=tuple(sorted(labels.items()))
        )
