"""Growth below interrupts, which is nothing that the program did.

A device, a timer or another CPU interrupts whoever runs, and what the kernel then does, up to
letting something else run, is sampled below the program that was interrupted. On a machine with
other work this differs from minute to minute, for any build.
"""

import re

import numpy as np
from numpy.typing import NDArray

from profiler.analysis.rules import Column
from profiler.analysis.union import Union
from profiler.model import Kind

ENTRIES = re.compile(r"asm_sysvec_.*|asm_common_interrupt|el[01][ht]_(64|32)_irq")
"""Where the kernel is entered by an interrupt, on x86-64 and arm64; faults and system calls, which
programs cause, have entries of their own."""

PART = 0.9
"""Of the growth, at least."""


def reason(union: Union, function: int, column: Column) -> str:
    """Why its growth is none of the program's, "" where it may be."""
    below = _below(union)
    shape = union.shape
    nodes = np.flatnonzero(shape.functions == function)
    if column == "total":
        nodes = np.intersect1d(nodes, shape.outermost)
    grown = 0.0
    inside = 0.0
    for side, sign in ((0, -1), (1, 1)):
        costs = union.selves[side] if column == "self" else union.totals(side)
        whole = max(float(union.sides[side].whole.sum()), 1.0)
        grown += sign * float(costs[nodes].sum()) / whole
        inside += sign * float(costs[nodes[below[nodes]]].sum()) / whole
    return "below interrupts, which meet whatever runs" if inside >= PART * grown > 0 else ""


def _below(union: Union) -> NDArray[np.bool_]:
    """Which nodes are an interrupt's entry, or stand below one."""
    entries = [
        number
        for number, (name, _, _, kind) in enumerate(union.keys)
        if kind is Kind.KERNEL and ENTRIES.fullmatch(name)
    ]
    nodes = np.flatnonzero(np.isin(union.shape.functions, entries))
    edges = np.zeros(len(union.shape) + 1, np.int64)
    np.add.at(edges, nodes, 1)
    np.subtract.at(edges, union.shape.end[nodes], 1)
    return np.asarray(np.cumsum(edges)[:-1] > 0, np.bool_)
