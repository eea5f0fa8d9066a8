"""Functions, files and lines of Python frames, asked of the processes that run them.

    with Names(maps["python_codes"], interpreters.inspected) as names:
        names.answer(pid, frame)

The kernel tells of each code object when it first meets it. A thread reads it at once, so that the
names of a process that lives 50 ms are there when its samples are drained.
"""

import mmap
import os
import select
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from collector.kernel.ring import Ring
from collector.processes.bounded import Bounded
from collector.symbols.answer import Answer
from collector.unwind.python import abi
from collector.unwind.python.code import Code, read_code
from collector.unwind.python.inspection import Inspected
from collector.unwind.python.layouts import Lines
from collector.unwind.python.memory import Refused, Unread, open_memory
from collector.unwind.python.stacks import PythonFrame
from profiler.model import Frame, Kind

MAX_STEPS = 2_000_000
"""Of the line tables of all code objects kept: some 200 MB at most ... """
