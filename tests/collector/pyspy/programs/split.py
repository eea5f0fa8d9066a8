"""Spends 1 : 3 of its time in two functions, while another thread sleeps in a third."""

import threading
import time


def one(n):
    total = 0
    for i in range(n):
        total += i
    return total


def three(n):
    total = 0
    for i in range(3 * n):
        total += i
    return total


def rest():
    while True:
        time.sleep(60)


def main():
    while True:
        one(1000)
        three(1000)


sleeper = threading.Thread(target=rest)
sleeper.daemon = True
sleeper.start()
main()
