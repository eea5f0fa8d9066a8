"""What fires and what is over, posted as Alertmanager does it: receivers for that there are many.

Form: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, version "4".

All that waits goes with one request, in a thread of its own, so that a receiver which does not
answer delays nothing else. What could not be delivered is counted, and tried again as long as it is
so: whoever evaluates rules names what was not told yet.
"""

import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from server.alerts import rules
from server.alerts.rules import Rule
from server.metrics import Metrics
from server.store.alerts import Standing, State

PAUSES_SECONDS = (1.0, 4.0, 16.0)
"""Between the tries of one delivery."""

REST_SECONDS = 300.0
"""After the last try, before all that is still so is tried again."""

_STEP_SECONDS = 0.5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Notice:
    """That a rule fires, or does so no more."""

    rule: Rule
    state: State
    standing: Standing

    @property
    def key(self) -> tuple[State, int]:
        """Differs from that of any other thing to be told of the rule."""
        return self.state, self.standing.began_ns


def message(notices: Sequence[Notice], page: str) -> dict[str, object]:
    """Of one or more."""
    alerts = [_alert(notice, page) for notice in notices]
    fires = any(notice.state is State.FIRING for notice in notices)
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing" if fires else "resolved",
        "receiver": "profiler",
        "groupLabels": {},
        "commonLabels": _common(_labels(notice) for notice in notices),
        "commonAnnotations": _common(_annotations(notice) for notice in notices),
        "externalURL": page,
        "alerts": alerts,
    }


def _alert(notice: Notice, page: str) -> dict[str, object]:
    labels, standing = _labels(notice), notice.standing
    over = notice.state is State.RESOLVED
    return {
        "status": "resolved" if over else "firing",
        "labels": labels,
        "annotations": _annotations(notice),
        "startsAt": _time(standing.began_ns),
        "endsAt": _time(standing.since_ns) if over else "0001-01-01T00:00:00Z",
        "generatorURL": page,
        "fingerprint": _fingerprint(labels),
    }


def _fingerprint(labels: Mapping[str, str]) -> str:
    text = json.dumps(sorted(labels.items()))
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _labels(notice: Notice) -> dict[str, str]:
    return {**notice.rule.labels, "alertname": notice.rule.name}


def _annotations(notice: Notice) -> dict[str, str]:
    query = str(notice.rule.selector)
    return {"query": query, "detail": notice.standing.detail, **notice.rule.annotations}


def _common(all_: Iterable[Mapping[str, str]]) -> dict[str, str]:
    first, *rest = (set(each.items()) for each in all_)
    return dict(sorted(first.intersection(*rest)))


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def post(url: str, body: bytes, timeout_s: float) -> int:
    """The status of the answer, of which nothing else is read; redirects are not followed. Raises
    OSError, HTTPException. The time is that of all of it: a byte now and then does not extend it.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.connect()
        late = threading.Timer(timeout_s, _shut, (connection.sock,))
        late.daemon = True
        late.start()
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, {"Content-Type": "application/json"})
            return connection.getresponse().status
        finally:
            late.cancel()
    finally:
        connection.close()


def _shut(connected: socket.socket) -> None:
    with suppress(OSError):  # it has ended meanwhile
        socket.socket.shutdown(connected, socket.SHUT_RDWR)  # of TLS too, without its farewell


class Webhook:
    """Delivers from entry to exit; `told` is called with what was."""

    def __init__(
        self,
        receiver: rules.Webhook,
        page: str,
        metrics: Metrics,
        told: Callable[[Sequence[Notice]], None],
        pauses_seconds: Sequence[float] = PAUSES_SECONDS,
    ) -> None:
        self._receiver = receiver
        self._page = page
        self._metrics = metrics
        self._told = told
        self._pauses_seconds = pauses_seconds
        self._waiting: Sequence[Notice] = ()
        self._last: dict[str, tuple[State, int]] = {}
        """What was delivered last of each rule: that may be before the database knows."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Does not wait for a receiver longer than for one answer: what is not told is told by the
        next server."""
        self._stopping.set()
        self._thread.join(2 * self._receiver.timeout_ns / 1e9)

    def tell(self, notices: Sequence[Notice]) -> None:
        """All that is to be told now, at most one a rule; what was to be told before is not so any
        more."""
        self._waiting = notices

    def _news(self) -> list[Notice]:
        return [one for one in self._waiting if self._last.get(one.rule.name) != one.key]

    def _run(self) -> None:
        while not self._stopping.wait(_STEP_SECONDS):
            notices = self._news()
            if not notices:
                continue
            if self._delivered(notices):
                self._metrics.alert_notices.labels("delivered").inc(len(notices))
                self._last |= {one.rule.name: one.key for one in notices}
                self._write(notices)
            elif not self._stopping.is_set():
                self._metrics.alert_notices.labels("undelivered").inc(len(notices))
                self._rest(notices)

    def _rest(self, failed: Sequence[Notice]) -> None:
        """Until there is something else to be told, which may be urgent."""
        keys = {one.rule.name: one.key for one in failed}
        end = time.monotonic() + REST_SECONDS
        while time.monotonic() < end and not self._stopping.wait(_STEP_SECONDS):
            if not {one.rule.name: one.key for one in self._news()}.items() <= keys.items():
                return

    def _delivered(self, notices: Sequence[Notice]) -> bool:
        body = json.dumps(message(notices, self._page)).encode()
        for pause_seconds in (*self._pauses_seconds, None):
            try:
                status = post(self._receiver.url, body, self._receiver.timeout_ns / 1e9)
                if 200 <= status < 300:
                    return True
                reason = f"it answers {status}"
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = str(error) or type(error).__name__
            if pause_seconds is None or self._stopping.wait(pause_seconds):
                break
            self._metrics.alert_retries.inc()
        _log.warning("%d alerts were not delivered to the webhook: %.200s", len(notices), reason)
        return False

    def _write(self, notices: Sequence[Notice]) -> None:
        try:
            self._told(notices)
        except Exception:  # then the next server may tell it again
            _log.exception("it is not known to the database what the webhook was told")
