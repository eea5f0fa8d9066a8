"""Python frames: found by the kernel (bpf/python_collect.h, bpf/walk.h), set up and named here.

`interpreters` finds the interpreter that a process runs and checks what is known of its structures
(`layouts`) against the running process (`inspection`) before the kernel may trust it. `names` turns
the code objects that the kernel met into functions, files and lines (`code`, `lines`).

The memory of other processes is read without stopping them: what is read may be out of date, torn
or made up, so every size is bounded and every claim checked.
"""
