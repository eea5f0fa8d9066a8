"""Spends 1 : 2 : 3 : 4 : 5 of its time in five lines. Rounds differ in length, so that they cannot
keep step with the sampling period."""

import random


def spend(sizes):
    total = 0
    while True:
        for n in sizes:
            total += sum(range(1 * n))
            total += sum(range(2 * n))
            total += sum(range(3 * n))
            total += sum(range(4 * n))
            total += sum(range(5 * n))


spend(random.Random(1).sample(range(1000, 3000), 1000))
