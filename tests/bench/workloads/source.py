"""A large C source for a compiler: functions that all differ, since gcc folds equal ones first."""

import random


def functions(number: int) -> str:
    choose = random.Random(1)
    return "".join(
        f"int f{i}(int a, int b, int *t) {{ int s = {i}, i = 0; "
        f"{' '.join(statement(choose, 3) for _ in range(3))} return s; }}\n"
        for i in range(number)
    )


def statement(choose: random.Random, depth: int) -> str:
    def inner() -> str:
        return statement(choose, depth - 1)

    kind = choose.randrange(4) if depth else 0
    if kind == 1:
        condition = f"{expression(choose, 1)} > {expression(choose, 1)}"
        return f"if ({condition}) {{ {inner()} }} else {{ {inner()} }}"
    if kind == 2:
        return f"for (int i = 0; i < a; i++) {{ {inner()} {inner()} }}"
    if kind == 3:
        return f"s ^= t[{expression(choose, 1)} & 15]; {inner()}"
    return f"s += {expression(choose, 2)};"


def expression(choose: random.Random, depth: int) -> str:
    if depth == 0:
        return choose.choice(["a", "b", "s", "i", str(choose.randrange(1, 99))])
    left, right = expression(choose, depth - 1), expression(choose, depth - 1)
    return f"({left} {choose.choice('+-*^&|')} {right})"
