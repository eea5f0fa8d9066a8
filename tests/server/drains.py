"""Drains written so that expected values can be read off the screen, and their way into a store."""

from collections.abc import Iterable, Mapping

from profiler import wire
from profiler.model import CPU, Drain, Profile, ProfileType
from profiler.wire import DecodedBatch, StreamEncoder
from server.ingest.ingester import Delivery, Ingester, Outcome
from server.ingest.stream import Stream
from tests import builders

SECOND = 1_000_000_000
TEN_SECONDS = 10 * SECOND
MIDNIGHT = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z"""


def series(*lines: str, host: str = "a", service: str = "checkout", **labels: str) -> Profile:
    """The samples of one series, as folded lines."""
    named = {"host_name": host, "service_name": service, **labels}
    return builders.profile(*lines, labels=tuple(sorted(named.items())))


def drain(
    *profiles: Profile,
    start_ns: int = MIDNIGHT,
    host: str = "a",
    losses: Mapping[str, int] | None = None,
    taken: int | None = None,
    type: ProfileType = CPU,
) -> Drain:
    """Ten seconds of a host whose accounts close unless `taken` says otherwise."""
    held = sum(profile.total_samples for profile in profiles) + sum((losses or {}).values())
    return Drain(
        host_name=host,
        start_ns=start_ns,
        duration_ns=TEN_SECONDS,
        taken=held if taken is None else taken,
        losses=losses or {},
        profiles=profiles,
        type=type,
    )


def collector_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


class Sender:
    """One stream of one collector, without the network."""

    def __init__(self, ingester: Ingester, collector: int = 1) -> None:
        self._ingester = ingester
        self._collector = collector_id(collector)
        self._encoder = StreamEncoder()
        self._stream = Stream()

    def send(self, drain: Drain, sequence: int) -> Outcome:
        return self._ingester.store(self._stream, self.decoded(drain, sequence))

    def send_together(self, drains: Iterable[Drain]) -> None:
        """In one transaction each hundred, numbered from 0."""
        sent = [
            Delivery(self._stream, self.decoded(drain, sequence))
            for sequence, drain in enumerate(drains)
        ]
        for first in range(0, len(sent), 100):
            found = self._ingester.store_all(sent[first : first + 100])
            assert not [outcome for outcome in found if isinstance(outcome, Exception)]

    def decoded(self, drain: Drain, sequence: int) -> DecodedBatch:
        """As it arrives at the other end."""
        message = self._encoder.encode(drain, self._collector, sequence)
        return self._stream.decoder.decode(wire.parse(message.SerializeToString()))


def send_all(ingester: Ingester, drains: Iterable[Drain], collector: int = 1) -> None:
    sender = Sender(ingester, collector)
    for sequence, one in enumerate(drains):
        sender.send(one, sequence)
