"""Asks for a session by a server, follows it to its end, and fetches what it took.

ended = Asked(client, print).follow('cpu{host_name="a"}', "cpu", 999, "30s")
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from profiler.cli.client import Client
from profiler.cli.terminal import printable
from profiler.errors import UnavailableError, UsageError
from profiler.session import State

LOOK_SECONDS = 0.25

PATIENCE_SECONDS = 60.0
"""For a server that is started again meanwhile: the collectors go on, and deliver to the next."""


@dataclass(frozen=True, slots=True)
class Host:
    """A session on one host, as the server tells it."""

    name: str
    state: State
    reason: str
    processes: int
    taken: int
    losses: Mapping[str, int]

    def __str__(self) -> str:
        words = [f"{self.name}: {self.state}"]
        if self.state is State.RUNNING:
            words.append(f"{self.processes} processes" if self.processes else "the whole host")
        if self.reason:
            words.append(self.reason)
        return printable(", ".join(words))


@dataclass(frozen=True, slots=True)
class Ended:
    """`profile` has the parameters by which the API gives what was taken."""

    profile: Mapping[str, str | int]
    hosts: Sequence[Host]

    @property
    def taken(self) -> int:
        return sum(host.taken for host in self.hosts)

    @property
    def whole(self) -> bool:
        """Whether every host took what it was asked for."""
        return all(host.state is State.DONE for host in self.hosts)

    def page(self, server: str) -> str:
        return f"{server.rstrip('/')}/?{urlencode(self.profile)}"


@dataclass(slots=True)
class Asked:
    """`say` is told what changes, a line each."""

    client: Client
    say: Callable[[str], None]
    _said: dict[str, str] = field(default_factory=dict)

    def follow(self, query: str, event: str, frequency_hz: int, duration: str) -> Ended:
        """Asks, and returns when the session has ended on every host. Ctrl-C ends it, a second one
        is raised. Raises UsageError and UnavailableError."""
        body: dict[str, str | int] = {"query": query, "event": event}
        body |= {"frequency": frequency_hz, "duration": duration}
        answer = self.client.post("sessions", body)
        try:
            path = f"sessions/{answer['session']}"
            stopped = False
            while answer["open"]:
                self._tell(_hosts(answer))
                try:
                    time.sleep(LOOK_SECONDS)
                    answer = self._ask_again(path)
                except KeyboardInterrupt:
                    if stopped:
                        raise
                    stopped = True
                    self.say("ending the session")
                    with suppress(UnavailableError):
                        answer = self.client.delete(path)
            hosts = _hosts(answer)
            self._tell(hosts)
            return Ended(answer["profile"], hosts)
        except (KeyError, TypeError, ValueError) as error:
            raise UnavailableError(
                f"the server answers otherwise than this version reads: {error!r}"
            ) from None

    def _tell(self, hosts: Sequence[Host]) -> None:
        for host in hosts:
            if self._said.get(host.name) != str(host):
                self._said[host.name] = str(host)
                self.say(str(host))

    def _ask_again(self, path: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_SECONDS
        said = False
        while True:
            try:
                return self.client.get(path, {})
            except UsageError as error:  # a server on another database
                raise UnavailableError(str(error)) from None
            except UnavailableError as error:
                if time.monotonic() > until:
                    raise
                if not said:
                    said = True
                    self.say(f"{error}; the session goes on, and is asked after again")
            time.sleep(LOOK_SECONDS)


def _hosts(answer: Mapping[str, Any]) -> list[Host]:
    return [
        Host(
            str(one["host_name"]),
            State(one["state"]),
            str(one["reason"]),
            int(one["processes"]),
            int(one["accounts"]["taken"]),
            {loss["cause"]: loss["samples"] for loss in one["accounts"]["losses"]},
        )
        for one in answer["hosts"]
    ]
