"""`profiler` as `up` starts it: a server and a collector that do as FAKE_* in the environment say.

python fake_profiler.py serve --http=127.0.0.1:8440 --grpc=…
python fake_profiler.py collect --server=… | --check
"""

import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

LOG = Path(os.environ["FAKE_LOG"])


def note(text: str) -> None:
    with LOG.open("a") as log:
        log.write(text + "\n")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        collected = "collect started" in LOG.read_text()
        samples = b'{"samples": 3}' if collected else b""
        body = b'{"profile_types": [{"name": "cpu"}], "series": [' + samples + b"]}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def serve(flags: dict[str, str]) -> None:
    if reason := os.environ.get("FAKE_SERVE_FAILS"):
        sys.exit(f"profiler: {reason}")
    host, _, port = flags["--http"].rpartition(":")
    note("serve started")
    HTTPServer((host, int(port)), Handler).serve_forever()


def collect(flags: dict[str, str]) -> None:
    if "--check" in flags:
        print(os.environ.get("FAKE_CHECK", "ok       kernel  6.1"))
        sys.exit(int(os.environ.get("FAKE_CHECK_CODE", "0")))
    note("collect started " + " ".join(name for name in flags if name != "collect"))
    if "--recorded" in flags:
        return
    time.sleep(60)


def ended(number: int, frame: object) -> None:
    note(f"{sys.argv[1]} stopped")
    os._exit(0)


signal.signal(signal.SIGTERM, ended)
flags = dict(argument.partition("=")[::2] for argument in sys.argv[2:])
{"serve": serve, "collect": collect}[sys.argv[1]](flags)
