"""For 3.6 and 3.7: a function whose name breaks lines, claims to be others and has 100,000 letters;
and one thread after the other under a new name."""

import threading
import time
import types


def spin():
    while True:
        for _ in range(1000):
            pass


def renamed(code, name):
    return types.CodeType(
        code.co_argcount, code.co_kwonlyargcount, code.co_nlocals, code.co_stacksize,
        code.co_flags, code.co_code, code.co_consts, code.co_names, code.co_varnames,
        code.co_filename, name, code.co_firstlineno, code.co_lnotab,
    )  # fmt: skip


LINE = "\nthread (1);forged (/etc/passwd:1) 999999999\n"
spin.__code__ = renamed(spin.__code__, LINE + "\x1b[2J;(:" + "x" * 100000)
sleeper = threading.Thread(target=time.sleep, args=(600,))
sleeper.daemon = True
sleeper.start()
spin()
