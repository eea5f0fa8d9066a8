"""A container engine of a few lines, behind a socket in a folder."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Answer = Callable[[str], bytes]


def container(name: str = "/shop-1", image: str = "team/shop:1.4", **labels: str) -> dict[str, Any]:
    return {
        "Name": name,
        "Image": "sha256:" + "ab" * 32,
        "Config": {"Image": image, "Labels": labels or None},
    }


def known(containers: dict[str, dict[str, Any]]) -> Answer:
    """Answers as Docker does."""

    def answer(target: str) -> bytes:
        _, _, name, _ = target.split("/")
        found = containers.get(name)
        status = "200 OK" if found else "404 Not Found"
        body = json.dumps(found or {"message": f"No such container: {name}"})
        return f"HTTP/1.0 {status}\r\nContent-Type: application/json\r\n\r\n{body}".encode()

    return answer


@contextmanager
def serving(path: Path, answer: Answer) -> Iterator[list[str]]:
    """What it was asked for."""
    asked: list[str] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    request = connection.recv(4096).decode()
                    target = request.split()[1]
                    asked.append(target)
                    with suppress(OSError):
                        connection.sendall(answer(target))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            path.unlink()
