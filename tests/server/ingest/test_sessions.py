"""From who asks over HTTP to the collector that listens, and back with its batches, also where the
two have different servers of one database."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import pytest

from profiler.model import Drain, Profile, ProfileType
from profiler.session import Progress, State
from profiler.v1 import ingest_pb2 as pb
from server.app import Server
from server.ingest import listeners
from server.store import sessions
from tests.processes import eventually
from tests.server.client import Answer, batches, config, delete, get, post, send_all
from tests.server.drains import SECOND, drain, series

PATH = "/api/v1/sessions"
CPU_ON_DEMAND = ProfileType("cpu_on_demand", "nanoseconds")


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "PAUSE_SECONDS", 0.05)


@pytest.fixture
def server(url: str) -> Iterator[Server]:
    """One where host a was just sampled."""
    with Server(config(url)) as opened:
        send_all(opened.grpc_address, [drain(series("main;f 3"), start_ns=time.time_ns())])
        yield opened


@contextmanager
def listening(address: str, host: str = "a") -> Iterator[Any]:
    """A call that waits for a request to a host."""
    with grpc.insecure_channel(address) as channel:
        listen = channel.unary_unary(
            "/profiler.v1.IngestService/Listen",
            request_serializer=pb.Listener.SerializeToString,
            response_deserializer=pb.Request.FromString,
        )
        waiting = listen.future(pb.Listener(host_name=host), timeout=30)
        try:
            yield waiting
        finally:
            waiting.cancel()


def ask(server: Server, query: str = 'cpu{service_name="checkout"}', **more: object) -> Answer:
    return post(server.http_address, PATH, {"query": query, "duration": "5s", **more})


def state(server: Server, session: str) -> dict[str, Any]:
    """Of the one host that is asked."""
    (host,) = get(server.http_address, f"{PATH}/{session}").json["hosts"]
    found: dict[str, Any] = host
    return found


def ended(server: Server, session: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = state(server, session)
        return None if found["state"] in ("asked", "offered", "running", "stopping") else found

    return eventually(look, f"the end of session {session}")


def told(session: str, state: State, *profiles: Profile, lost: int = 0, reason: str = "") -> Drain:
    """What a collector says of a session."""
    progress = Progress(session, state, reason, processes=2)
    found = drain(*profiles, start_ns=time.time_ns(), type=CPU_ON_DEMAND)
    losses = {"excluded": lost} if lost else {}
    taken = found.taken + lost
    return Drain("a", found.start_ns, SECOND, taken, losses, profiles, CPU_ON_DEMAND, progress)


def test_a_collector_hears_what_is_asked_of_its_host(server: Server) -> None:
    with listening(server.grpc_address) as waiting, listening(server.grpc_address, "b") as other:
        answer = ask(server, frequency=499)
        assert (answer.status, answer.json["hosts"][0]["state"]) == (201, "asked")
        request = waiting.result()
        assert not other.done()
    assert request == pb.Request(
        session=answer.json["session"],
        selector='cpu{service_name="checkout"}',
        event="cpu",
        frequency_hz=499,
        duration_ns=5 * SECOND,
    )
    assert state(server, request.session)["state"] == "offered"


def test_what_it_takes_is_counted_apart_from_the_usual_profile(server: Server) -> None:
    with listening(server.grpc_address) as waiting:
        session = ask(server).json["session"]
        assert waiting.result().session == session
    labelled = series("main;f 40", profiler_session=session)
    said = [
        told(session, State.RUNNING),
        told(session, State.RUNNING, labelled, lost=2),
        told(session, State.DONE, labelled),
    ]
    send_all(server.grpc_address, said, collector=2)
    assert ended(server, session) == {
        "host_name": "a",
        "state": "done",
        "reason": "",
        "processes": 2,
        "accounts": {
            "taken": 82,
            "stored": 80,
            "losses": [{"cause": "excluded", "samples": 2}],
        },
    }
    profile = get(server.http_address, f"{PATH}/{session}").json["profile"]
    profile["from_"] = profile.pop("from")
    top = get(server.http_address, "/api/v1/top", **profile).json
    assert (top["total"]["samples"], top["accounts"]["taken"]) == (80, 82)
    usual = get(server.http_address, "/api/v1/top", query="cpu").json
    assert (usual["total"]["samples"], usual["accounts"]["taken"]) == (3, 3)


def test_the_same_batch_twice_is_counted_once(server: Server) -> None:
    session = ask(server).json["session"]
    labelled = series("main;f 40", profiler_session=session)
    (batch,) = batches([told(session, State.DONE, labelled)], collector=2)
    for _ in range(2):
        with grpc.insecure_channel(server.grpc_address) as channel:
            ingest: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(
                "/profiler.v1.IngestService/Ingest"
            )
            list(ingest(iter([batch.SerializeToString()]), timeout=30))
    assert ended(server, session)["accounts"]["taken"] == 40


def test_it_does_not_matter_which_server_is_asked(url: str) -> None:
    with ExitStack() as opened:
        here = opened.enter_context(Server(config(url)))
        there = opened.enter_context(Server(config(url)))
        send_all(there.grpc_address, [drain(series("main;f 3"), start_ns=time.time_ns())])
        waiting = opened.enter_context(listening(there.grpc_address))
        session = ask(here).json["session"]
        assert waiting.result().session == session
        send_all(there.grpc_address, [told(session, State.CUT, reason="enough")], collector=2)
        found = ended(here, session)
    assert (found["state"], found["reason"]) == ("cut", "enough")


def test_a_host_that_nobody_listens_for_refuses(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "CONNECT_NS", SECOND // 10)
    found = ended(server, ask(server).json["session"])
    assert found["state"] == "refused"
    assert "no collector of this host is connected" in found["reason"]


def test_a_collector_that_falls_silent_is_gone_and_may_come_back(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SILENCE_NS", SECOND // 10)
    with listening(server.grpc_address) as waiting:
        session = ask(server).json["session"]
        waiting.result()
    send_all(server.grpc_address, [told(session, State.RUNNING)], collector=2)
    found = ended(server, session)
    assert found["state"] == "gone"
    assert "nothing was heard of the collector" in found["reason"]
    labelled = series("main;f 40", profiler_session=session)
    send_all(server.grpc_address, [told(session, State.DONE, labelled)], collector=3)
    found = ended(server, session)
    assert (found["state"], found["reason"], found["accounts"]["taken"]) == ("done", "", 40)


def test_a_session_is_stopped_by_whoever_wants_it(server: Server) -> None:
    with listening(server.grpc_address) as waiting:
        session = ask(server).json["session"]
        waiting.result()
    send_all(server.grpc_address, [told(session, State.RUNNING)], collector=2)
    assert delete(server.http_address, f"{PATH}/{session}").json["open"]
    send_all(server.grpc_address, [told(session, State.RUNNING)], collector=3)
    assert state(server, session)["state"] == "stopping"
    with listening(server.grpc_address) as waiting:
        assert waiting.result() == pb.Request(session=session, stop=True)
    send_all(server.grpc_address, [told(session, State.CUT, reason="stopped")], collector=4)
    assert not get(server.http_address, f"{PATH}/{session}").json["open"]


def test_a_session_that_nobody_has_taken_up_is_stopped_at_once(server: Server) -> None:
    session = ask(server).json["session"]
    (host,) = delete(server.http_address, f"{PATH}/{session}").json["hosts"]
    assert (host["state"], host["reason"]) == ("refused", "stopped before it began")


def test_open_sessions_are_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_OPEN", 2)
    names = [ask(server).json["session"] for _ in range(2)]
    refused = ask(server)
    assert refused.status == 429
    assert "2 sessions are open, as many as may be at once" in refused.json["detail"]
    delete(server.http_address, f"{PATH}/{names[0]}")
    assert ask(server).status == 201


def test_old_sessions_are_forgotten_when_the_next_one_is_asked_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "KEEP_NS", 0)
    old, new = (ask(server).json["session"] for _ in range(2))
    assert get(server.http_address, f"{PATH}/{old}").status == 404
    (only,) = get(server.http_address, PATH).json["sessions"]
    assert only["session"] == new


def test_a_server_that_stops_does_not_keep_listeners_waiting(url: str) -> None:
    with Server(config(url)) as server, listening(server.grpc_address) as waiting:
        send_all(server.grpc_address, [drain(series("main;f 1"), start_ns=time.time_ns())])
        server.__exit__(None, None, None)
        with pytest.raises(grpc.RpcError) as raised:
            waiting.result()
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


def test_more_hosts_than_can_be_asked_are_refused_with_the_next_step(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = time.time_ns()
    for number, host in enumerate(("b", "c"), 2):
        one = drain(series("main;f 1", host=host), start_ns=now_ns, host=host)
        send_all(server.grpc_address, [one], number)
    assert len(ask(server).json["hosts"]) == 3
    monkeypatch.setattr("server.api.sessions.MAX_HOSTS", 2)
    assert "3 hosts have it, at most 2 at once" in ask(server).json["detail"]
