"""Debug files from servers that answer well, badly, slowly or not at all."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from collector.labels.labeller import Labelling
from collector.symbols.debuginfod import FORGET_NS, Debuginfod, Settings, read_settings
from collector.symbols.download import Bounds
from collector.symbols.symbolizer import Symbolizer
from profiler.errors import UsageError
from tests.collector.clock import SECOND_NS, FakeClock
from tests.collector.symbols.drains import frames
from tests.collector.symbols.programs import BUILD_ID, C_SOURCE, compiled, needs, running
from tests.processes import eventually, free_address

Answer = Callable[[BaseHTTPRequestHandler], None]
PATH = f"/buildid/{BUILD_ID}/debuginfo"
BOUNDS = Bounds(patience_seconds=20, max_bytes=1 << 20)


class Server(ThreadingHTTPServer):
    """Answers every request in one way; `paths` are those that were asked for."""

    def __init__(self, answer: Answer) -> None:
        self.paths: list[str] = []
        self.ended = Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:
                self.paths.append(handler.path)
                answer(handler)

            def log_message(handler, format: str, *arguments: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, address: object) -> None:
        """A client that hangs up is what some tests are about."""


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    with Server(answer) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


def sends(contents: bytes, length: int | None = None) -> Answer:
    """With a length of its own, or none where it is -1."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if length != -1:
            handler.send_header("Content-Length", str(length or len(contents)))
        handler.end_headers()
        handler.wfile.write(contents)

    return answer


def fails(status: int, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()

    return answer


def waits(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"\x7fELF")
    assert isinstance(handler.server, Server)
    handler.server.ended.wait(60)


def drips(handler: BaseHTTPRequestHandler) -> None:
    """Never silent, and never done."""
    handler.send_response(200)
    handler.end_headers()
    assert isinstance(handler.server, Server)
    while not handler.server.ended.wait(0.02):
        handler.wfile.write(b"E")


@pytest.fixture(scope="module")
def debug_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("debuginfod")
    whole = compiled(folder / "whole", C_SOURCE, "-O2", "-g")
    target = folder / "shop.debug"
    subprocess.run([needs("objcopy"), "--only-keep-debug", whole, target], check=True)
    subprocess.run([needs("objcopy"), "-S", whole, folder / "shop"], check=True)
    return target


class Client:
    """A Debuginfod, and what it counts."""

    def __init__(self, folder: Path, *urls: str, bounds: Bounds = BOUNDS, room: int = 1 << 30):
        self.clock, self.outcomes = FakeClock(), Counter[str]()
        settings = Settings(urls, folder, bounds, room)
        self.debuginfod = Debuginfod(settings, self.clock, self.outcomes)

    def close(self) -> None:
        self.debuginfod.close()

    def opens(self, build_id: str = BUILD_ID) -> bool:
        descriptor = self.debuginfod.open(build_id)
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is not None

    def fetched(self, build_id: str = BUILD_ID) -> dict[str, int]:
        """What came of asking, once it is known."""
        before = self.outcomes.total()
        assert not self.opens(build_id)

        def done() -> bool | None:
            self.debuginfod.has(build_id)
            return self.outcomes.total() > before or None

        eventually(done, "an answer of the server")
        return dict(self.outcomes)


def test_a_file_is_fetched_in_the_background_and_kept(tmp_path: Path, debug_file: Path) -> None:
    with serving(sends(debug_file.read_bytes())) as server:
        with closing(Client(tmp_path, server.url)) as client:
            assert client.fetched() == {"found": 1}
            assert client.debuginfod.has(BUILD_ID) and client.opens()
            client.debuginfod.refuse(BUILD_ID)
            assert not client.debuginfod.has(BUILD_ID), "it was of no use"
        with closing(Client(tmp_path, server.url)) as another:
            assert another.opens()
    assert server.paths == [PATH]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [
        tmp_path / BUILD_ID / "debuginfo"
    ]


def test_what_a_server_does_not_have_is_asked_for_again_after_ten_minutes(tmp_path: Path) -> None:
    with serving(fails(404)) as server, closing(Client(tmp_path, server.url)) as client:
        assert client.fetched() == {"missing": 1}
        client.clock.pass_by(FORGET_NS / SECOND_NS - 1)
        assert not client.opens() and not client.debuginfod.has(BUILD_ID)
        assert len(server.paths) == 1
        client.clock.pass_by(2)
        assert client.fetched() == {"missing": 2}
    assert server.paths == [PATH, PATH]
    assert not list(tmp_path.iterdir())


def test_many_who_want_a_file_are_one_request(tmp_path: Path) -> None:
    with serving(waits) as server, closing(Client(tmp_path, server.url)) as client:
        for _ in range(20):
            assert not client.opens() and not client.debuginfod.has(BUILD_ID)
        eventually(lambda: server.paths or None, "a request")
        time.sleep(0.1)
        assert server.paths == [PATH]


NOISE = b"\x7fELF" + bytes(range(256)) * 40


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (fails(500), "refused"),
        (fails(302, Location="file:///etc/passwd"), "refused"),
        (fails(302, Location="ftp://127.0.0.1/x"), "unreachable"),
        (sends(NOISE), "wrong_file"),
        (sends(b""), "wrong_file"),
        (sends(NOISE, length=len(NOISE) + 1), "cut"),
        (sends(NOISE, length=1 << 40), "too_large"),
        (sends(bytes(2 << 20), length=-1), "too_large"),
        (lambda handler: handler.wfile.write(b"what is HTTP?\n"), "unreachable"),
    ],
    ids=[
        "error", "to a file", "to ftp", "noise", "nothing", "cut", "huge", "endless", "not HTTP",
    ],
)  # fmt: skip
def test_a_bad_answer_costs_one_count(tmp_path: Path, answer: Answer, outcome: str) -> None:
    with serving(answer) as server, closing(Client(tmp_path, server.url)) as client:
        assert client.fetched() == {outcome: 1}
        assert not client.opens() and len(server.paths) == 1
    assert not list(tmp_path.rglob("*")), "nothing is left of it"


@pytest.mark.parametrize("answer", [waits, drips], ids=["silent", "slow"])
def test_a_server_that_takes_too_long_is_given_up(tmp_path: Path, answer: Answer) -> None:
    hurried = Bounds(patience_seconds=0.2, max_bytes=1 << 20)
    with (
        serving(answer) as server,
        closing(Client(tmp_path, server.url, bounds=hurried)) as client,
    ):
        assert client.fetched() == {"timeout": 1}


def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with closing(Client(tmp_path, f"http://{free_address()}")) as client:
        assert client.fetched() == {"unreachable": 1}


def test_the_file_of_another_build_is_not_kept(tmp_path: Path, debug_file: Path) -> None:
    other = "ff" * 20
    answer = sends(debug_file.read_bytes())
    with serving(answer) as server, closing(Client(tmp_path, server.url)) as client:
        assert client.fetched(other) == {"wrong_file": 1}
        assert not client.opens(other)


def test_servers_are_asked_in_their_order(tmp_path: Path, debug_file: Path) -> None:
    with (
        serving(fails(404)) as first,
        serving(sends(debug_file.read_bytes())) as second,
        closing(Client(tmp_path, first.url, second.url)) as client,
    ):
        assert client.fetched() == {"found": 1}
    assert first.paths == second.paths == [PATH]


def test_what_is_no_build_id_is_never_asked_for(tmp_path: Path) -> None:
    with serving(fails(404)) as server, closing(Client(tmp_path, server.url)) as client:
        for wrong in ("", "../../etc", "abc"):
            assert not client.opens(wrong) and not client.debuginfod.has(wrong)
        assert client.fetched() == {"missing": 1}
    assert server.paths == [PATH]


def test_the_folder_keeps_to_its_size(tmp_path: Path, debug_file: Path) -> None:
    old = tmp_path / ("aa" * 20) / "debuginfo"
    old.parent.mkdir()
    old.write_bytes(bytes(5000))
    os.utime(old, (1, 1))
    size = debug_file.stat().st_size
    with (
        serving(sends(debug_file.read_bytes())) as server,
        closing(Client(tmp_path, server.url, room=size + 10)) as client,
    ):
        assert client.fetched() == {"found": 1}
        assert client.opens() and not old.exists()


def test_a_full_disk_is_counted(tmp_path: Path, debug_file: Path) -> None:
    not_a_folder = tmp_path / "file"
    not_a_folder.touch()
    answer = sends(debug_file.read_bytes())
    with serving(answer) as server, closing(Client(not_a_folder, server.url)) as client:
        assert client.fetched() == {"no_room": 1}


@contextmanager
def symbolizer(folder: Path, url: str) -> Iterator[Symbolizer]:
    settings = Settings((url,), folder / "cache", Bounds(20, 1 << 20))
    named = Symbolizer(Labelling("a"), debug=folder, debuginfod=settings, patience_seconds=60)
    try:
        yield named
    finally:
        named.close()


def test_frames_are_named_from_the_drain_after_the_file_is_there(
    tmp_path: Path, debug_file: Path
) -> None:
    let_go = Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        let_go.wait(30)
        sends(debug_file.read_bytes())(handler)

    with ExitStack() as opened:
        server = opened.enter_context(serving(answer))
        named = opened.enter_context(symbolizer(tmp_path, server.url))
        program = opened.enter_context(running(debug_file.with_name("shop")))
        hidden, back = program.addresses["hidden"], program.addresses["return"]
        for _ in range(3):
            (frame,) = frames(named, program.pid, hidden)
            assert frame.function.startswith("[unknown] shop+0x") and frame.build_id == BUILD_ID
        let_go.set()
        eventually(
            lambda: frames(named, program.pid, hidden)[0].function == "hidden" or None, "a name"
        )
        stack = frames(named, program.pid, hidden, back)
    assert [frame.function for frame in stack] == ["outer", "middle", "inner", "hidden"]
    assert server.paths == [PATH]
    assert named.counters.debuginfod == {"found": 1}


def test_nobody_is_asked_for_a_program_that_has_its_symbols(
    tmp_path: Path, c_program: Path
) -> None:
    with (
        serving(fails(404)) as server,
        symbolizer(tmp_path, server.url) as named,
        running(c_program) as program,
    ):
        (frame,) = frames(named, program.pid, program.addresses["hidden"])
    assert frame.function == "hidden" and not [path for path in server.paths if BUILD_ID in path]


def test_settings_are_those_of_elfutils(tmp_path: Path) -> None:
    environment = {
        "DEBUGINFOD_CACHE_PATH": "/var/tmp/files",
        "DEBUGINFOD_TIMEOUT": "7",
        "DEBUGINFOD_MAXSIZE": "1000",
    }
    urls = "ima:enforcing https://a.example/ http://b.example"
    assert read_settings(urls, tmp_path, environment) == Settings(
        ("https://a.example", "http://b.example"), Path("/var/tmp/files"), Bounds(7, 1000)
    )
    plain = read_settings("https://a.example", tmp_path, {"DEBUGINFOD_TIMEOUT": "-1"})
    assert plain.folder == tmp_path and plain.bounds.patience_seconds == 90
    with pytest.raises(UsageError, match="expected http"):
        read_settings("file:///etc", tmp_path, {})
    with pytest.raises(UsageError, match="DEBUGINFOD_MAXSIZE=much"):
        read_settings("https://a.example", tmp_path, {"DEBUGINFOD_MAXSIZE": "much"})


def test_elfutils_own_server_answers_us(tmp_path: Path, debug_file: Path) -> None:
    command = [needs("debuginfod"), "--database", str(tmp_path / "index"), "-F", "--port"]
    address = free_address()
    port = address.rpartition(":")[2]
    with subprocess.Popen(
        [*command, port, str(debug_file.parent)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    ) as process:
        try:
            eventually(lambda: _answers(f"http://{address}{PATH}"), "debuginfod has scanned")
            with closing(Client(tmp_path / "cache", f"http://{address}")) as client:
                assert client.fetched() == {"found": 1}
                assert client.opens()
                assert client.fetched("ff" * 20) == {"found": 1, "missing": 1}
        finally:
            process.terminate()


def _answers(url: str) -> bool | None:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        pass
    return None
