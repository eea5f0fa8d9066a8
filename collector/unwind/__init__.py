"""Whole user stacks: rows of call frame information for the walk in bpf/unwind_walk.h.

eh_frame → cfi → x86_64 → gaps → table → tablefile, cache      in a child (worker, builder)
files, processes, tables → unwinder → the kernel's maps; later       in the collector
"""
