"""What a receiver hears, and what becomes of what it does not take."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from profiler import selector
from profiler.analysis import rules as bounds
from server.alerts import rules, webhook
from server.alerts.rules import Condition, Rule
from server.alerts.webhook import Notice, Webhook, message, post
from server.metrics import Metrics
from server.store.alerts import Standing, State
from tests.processes import eventually

SECOND = 10**9
BEGAN = 1_767_225_600 * SECOND


def notice(name: str, state: State = State.FIRING, team: str = "a") -> Notice:
    bound = bounds.parse("self>+10%")
    rule = Rule(
        *(name, selector.parse("cpu"), Condition.GROWTH, bound, 60 * SECOND),
        labels={"team": team},
        annotations={"runbook": "here"},
    )
    return Notice(rule, state, Standing(state, BEGAN + 90 * SECOND, BEGAN, detail="f 1% → 2%"))


class Receiver(ThreadingHTTPServer):
    """Answers with the `statuses`, then with 200."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        self.heard: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?key=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert (self.path, self.headers["Content-Type"]) == ("/hook?key=1", "application/json")
        self.server.heard.append(body)
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def receiving(*statuses: int) -> Iterator[Receiver]:
    with Receiver(*statuses) as opened:
        threading.Thread(target=opened.serve_forever, args=(0.01,), daemon=True).start()
        yield opened
        opened.shutdown()


@contextmanager
def telling(
    url: str, told: list[Notice], metrics: Metrics, timeout_ns: int = SECOND
) -> Iterator[Webhook]:
    def write(notices: Sequence[Notice]) -> None:
        told.extend(notices)

    receiver = rules.Webhook(url, timeout_ns)
    with Webhook(receiver, "http://page", metrics, write, (0.01, 0.01, 0.01)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_STEP_SECONDS", 0.01)


def counted(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"profiler_alert_{name}_total", labels) or 0.0


def test_the_message_is_alertmanager_s() -> None:
    firing, resolved = notice("a"), notice("b", State.RESOLVED)
    found = message([firing, resolved], "http://page")
    annotations = {"query": "cpu", "detail": "f 1% → 2%", "runbook": "here"}
    both = {"annotations": annotations, "startsAt": "2026-01-01T00:00:00Z"}
    alerts = found.pop("alerts")
    assert isinstance(alerts, list)
    prints = {alert.pop("fingerprint") for alert in alerts}
    assert [len(each) for each in prints] == [16, 16]
    assert alerts == [
        {
            **{"status": "firing", "labels": {"team": "a", "alertname": "a"}, **both},
            **{"endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://page"},
        },
        {
            **{"status": "resolved", "labels": {"team": "a", "alertname": "b"}, **both},
            **{"endsAt": "2026-01-01T00:01:30Z", "generatorURL": "http://page"},
        },
    ]
    assert found == {
        **{"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing"},
        **{"receiver": "profiler", "groupLabels": {}, "commonLabels": {"team": "a"}},
        **{"commonAnnotations": annotations, "externalURL": "http://page"},
    }
    assert message([resolved], "")["status"] == "resolved"


def test_a_receiver_that_fails_twice_hears_it_at_the_third_try() -> None:
    told: list[Notice] = []
    metrics = Metrics()
    firing = notice("a")
    with receiving(500, 302) as receiver, telling(receiver.url, told, metrics) as hook:
        hook.tell([firing])
        eventually(lambda: told or None, "it is told")
        heard = list(receiver.heard)
    assert told == [firing]
    assert heard == [message([firing], "http://page")] * 3
    assert counted(metrics, "retries") == 2
    assert counted(metrics, "notices", outcome="delivered") == 1
    assert counted(metrics, "notices", outcome="undelivered") == 0


def test_what_was_told_is_told_once_and_what_is_new_with_the_next_request() -> None:
    """The database may say for a while that it was not."""
    told: list[Notice] = []
    with receiving() as receiver, telling(receiver.url, told, Metrics()) as hook:
        hook.tell([notice("a")])
        eventually(lambda: told or None, "the first is told")
        hook.tell([notice("a"), notice("b"), notice("c", State.RESOLVED)])
        eventually(lambda: len(told) > 1 or None, "the others are told")
        heard = [body["alerts"] for body in receiver.heard]
    assert [one.rule.name for one in told] == ["a", "b", "c"]
    assert [[alert["labels"]["alertname"] for alert in each] for each in heard] == [
        ["a"],
        ["b", "c"],
    ]


def test_what_no_try_delivers_is_counted_and_tried_again_after_a_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook, "REST_SECONDS", 0.01)
    told: list[Notice] = []
    metrics = Metrics()
    with receiving(*[503] * 4) as receiver, telling(receiver.url, told, metrics) as hook:
        hook.tell([notice("a")])
        eventually(lambda: told or None, "it is told after all")
    assert counted(metrics, "notices", outcome="undelivered") == 1
    assert counted(metrics, "notices", outcome="delivered") == 1
    assert counted(metrics, "retries") == 3


def test_what_is_new_does_not_wait_until_the_rest_is_over() -> None:
    told: list[Notice] = []
    metrics = Metrics()
    with receiving(*[503] * 4) as receiver, telling(receiver.url, told, metrics) as hook:
        hook.tell([notice("a")])
        undelivered = "profiler_alert_notices_total", {"outcome": "undelivered"}
        eventually(lambda: metrics.registry.get_sample_value(*undelivered), "it is given up")
        hook.tell([notice("a"), notice("b")])
        eventually(lambda: told or None, "both are told")
    assert [one.rule.name for one in told] == ["a", "b"]


def test_an_answer_that_drips_is_given_up_in_time() -> None:
    """Each byte comes within the timeout, all of them never."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def drip() -> None:
            connected, _ = listening.accept()
            with connected:
                while not done.wait(0.02):
                    try:
                        connected.send(b"H")
                    except OSError:
                        return

        dripping = threading.Thread(target=drip)
        dripping.start()
        with pytest.raises((OSError, HTTPException)):
            post(f"http://127.0.0.1:{port}/", b"{}", 0.2)
        done.set()
        dripping.join()


def test_a_receiver_that_is_not_there_delays_neither_rules_nor_the_end() -> None:
    told: list[Notice] = []
    metrics = Metrics()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with telling(url, told, metrics, timeout_ns=SECOND // 20) as hook:
            for _ in range(3):
                hook.tell([notice("a")])
            eventually(lambda: counted(metrics, "retries") or None, "it is tried again")
    assert not told
