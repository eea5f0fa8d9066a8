"""What nobody can be asked for."""

import pytest

from tests.server.client import delete, get, post

PATH = "/api/v1/sessions"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"query": "cpu{"}, "query: "),
        ({"query": 'cpu{service_name="nobody"}'}, "nothing was sampled of"),
        ({"query": 'cpu{service_name!="\0"}'}, "query: is to be a printable text"),
        ({"query": 'cpu{service_name!="\ud800"}'}, "query: is to be a printable text"),
        ({"frequency": "many"}, "frequency: expected a number from 1"),
        ({"frequency": 0}, "frequency: expected a number from 1"),
        ({"duration": "0s"}, "duration: expected a duration from 1s"),
        ({"duration": "long"}, "duration: not a duration"),
        ({"event": ""}, "event: expected an event's name"),
        ({"rate": 99}, "rate: unknown member"),
        (["cpu"], "send a JSON object"),
        (b"{", "send a JSON object"),
        (b"[" * 50_000, "send a JSON object"),
        (b" " * 100_000, "longer than 65536 bytes"),
    ],
)
def test_what_cannot_be_meant_is_refused(address: str, body: object, said: str) -> None:
    answer = post(address, PATH, body)
    assert answer.status == 400
    assert said in answer.json["detail"]


def test_a_page_of_another_origin_cannot_ask(address: str) -> None:
    """A browser sends such a body without asking, and JSON only where the server has allowed it."""
    answer = post(address, PATH, b"{}", "text/plain")
    assert (answer.status, get(address, PATH).json) == (400, {"sessions": []})


def test_a_session_that_is_not_known_is_not_found(address: str) -> None:
    for answer in (get(address, f"{PATH}/nonsense"), delete(address, f"{PATH}/nonsense")):
        assert answer.status == 404
        assert answer.json["detail"] == "no session 'nonsense' is known here"
    assert get(address, f"{PATH}/%00").status == 404
