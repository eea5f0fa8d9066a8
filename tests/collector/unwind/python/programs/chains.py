"""Runs known call chains, in the main thread and in another. A line that calls a function has the
function's name in it, in a comment where the call itself does not name it."""

import threading


def leaf(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


def key(x):
    return leaf(10)


def recurse(depth):
    if depth:
        return recurse(depth - 1)
    return sorted(range(20), key=key)


def produce(n):
    for _ in range(n):
        yield leaf(10)


def relay(n):
    yield from produce(n)


def consume():
    return sum(produce(20)) + max(relay(20))


def fail(depth):
    if depth:
        fail(depth - 1)
    raise ValueError(leaf(10))


def handle():
    try:
        fail(5)
    except ValueError:
        leaf(10)


class Shape:
    def __init__(self, n):
        self.size = leaf(n)

    def __lt__(self, other):
        return leaf(10) < other.size


def compare():
    shapes = list(map(Shape, range(10)))  # __init__
    shapes.append(Shape(10))  # __init__
    return sorted(shapes)  # __lt__


async def inner():
    return leaf(20)


async def outer():
    return await inner()


def drive():
    return list(outer().__await__())


EXPRESSION = compile("leaf(20)", "<expression>", "eval")


def evaluate():
    return eval(EXPRESSION)  # <module>


def work():
    recurse(20)
    consume()
    handle()
    compare()
    drive()
    evaluate()


def main():
    while True:
        work()


threading.Thread(target=main, daemon=True).start()
main()
