"""Spends 1 : 2 : 3 : 4 : 5 of its time in five lines."""


def spend(n):
    total = 0
    while True:
        total += sum(range(1 * n))
        total += sum(range(2 * n))
        total += sum(range(3 * n))
        total += sum(range(4 * n))
        total += sum(range(5 * n))


spend(2000)
