"""Works for ever, 13 calls deep. Given a file, it adds a byte to it after each piece of work."""

import json
import os
import re
import sys

WORDS = re.compile(r"(\w+)-(\d+)")


def encode(size: int) -> str:
    return json.dumps({str(i): [i, float(i), "x" * 5] for i in range(size)})


def match(size: int) -> int:
    return len(WORDS.findall(" ".join(f"word-{i}" for i in range(size))))


def order(size: int) -> "list[int]":
    return sorted(range(size), key=lambda i: i * 7919 % size)


def work() -> int:
    return (
        len(json.loads(encode(200))) + match(200) + len(order(500)) + sum(x * x for x in range(500))
    )


def descend(depth: int) -> int:
    return descend(depth - 1) if depth else work()


done = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND) if len(sys.argv) > 1 else None
while True:
    for _ in range(10):
        descend(12)
    if done is not None:
        os.write(done, b".")
