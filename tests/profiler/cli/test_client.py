import socket
import threading

import pytest

from profiler.cli.client import Client
from profiler.errors import UnavailableError, UsageError
from tests.processes import free_address
from tests.profiler.cli.fake_server import FakeServer


def test_parameters_arrive_as_they_were_given(server: FakeServer) -> None:
    server.answer("/api/v1/top", {"functions": []})
    asked: dict[str, str | int] = {"query": 'cpu{a=~"x&y+z"}', "limit": 3}
    assert Client(server.url + "/").get("top", asked) == {"functions": []}
    assert server.asked == [("/api/v1/top", {"query": 'cpu{a=~"x&y+z"}', "limit": "3"})]


def test_a_mistake_in_a_selector_is_shown_with_a_caret_under_it(server: FakeServer) -> None:
    problem = {"detail": "query: expected }", "parameter": "query", "position": 4}
    server.answer("/api/v1/top", problem, 400)
    with pytest.raises(UsageError) as caught:
        Client(server.url).get("top", {"query": "cpu{:}"})
    assert str(caught.value) == "query: expected }\n  cpu{:}\n      ^"


@pytest.mark.parametrize(
    "problem",
    [
        {"detail": "no", "parameter": "query", "position": "4"},
        {"detail": "no", "parameter": "other", "position": 4},
        {"detail": "no"},
    ],
)
def test_a_problem_without_a_place_is_shown_without_a_caret(
    server: FakeServer, problem: object
) -> None:
    server.answer("/api/v1/top", problem, 400)
    with pytest.raises(UsageError) as caught:
        Client(server.url).get("top", {"query": "cpu"})
    assert str(caught.value) == "no"


def test_the_server_s_own_trouble_is_told_with_its_name(server: FakeServer) -> None:
    server.answer("/api/v1/top", {"detail": "the database does not answer"}, 503)
    with pytest.raises(UnavailableError, match=f"{server.url}: the database does not answer"):
        Client(server.url).get("top", {})


def test_another_kind_of_server_is_told_apart(server: FakeServer) -> None:
    with pytest.raises(UnavailableError, match="is not a profiler server: it answered 404"):
        Client(server.url).get("top", {})
    server.answers["/api/v1/top"] = (200, "text/html", b"<h1>It works!</h1>")
    with pytest.raises(UnavailableError, match="is not a profiler server: it sent no JSON"):
        Client(server.url).get("top", {})


def test_a_server_that_is_away_is_answered_with_how_to_start_one() -> None:
    url = f"http://{free_address()}"
    with pytest.raises(UnavailableError) as caught:
        Client(url).get("top", {})
    assert str(caught.value) == (
        f'no server at {url}: connection refused; start one with "profiler serve"'
    )
    assert not Client(url).ready()


def test_a_server_that_does_not_answer_is_not_waited_for_without_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.05)
        with pytest.raises(UnavailableError, match=r"within 0\.05 s"):
            client.get("top", {})


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        breaking = threading.Thread(target=answer_half, args=[listener])
        breaking.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UnavailableError, match=f"no answer from {url}"):
            Client(url, timeout_s=5).get("top", {})
        breaking.join()


def answer_half(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


@pytest.mark.parametrize(
    "url", ["", "localhost:8440", "ftp://a", "http://", "http://a:b", "http://[::"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"no server's URL: .*; write it as http://127"):
        Client(url)


def test_a_proxy_is_not_asked_for_this_machine(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{free_address()}")
    server.answers["/readyz"] = (200, "text/plain", b"ready\n")
    assert Client(server.url).ready()
