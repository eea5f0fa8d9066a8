"""Python frames from py-spy, for interpreters that the kernel's walk does not know.

`spying` keeps one `recording` on each of the busiest such processes from drain to drain. `report`
reads what py-spy wrote, and `placement` gives its stacks to as many of the samples that the kernel
counted as ran Python. How many samples there are is the kernel's word alone: py-spy only says how
they divide.
"""
