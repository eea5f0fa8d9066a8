"""From addresses to frames.

`symbolizer` is the door. Behind it, an address of the kernel goes to `kernel`, one of a process
to `addresses`, which asks `binaries` for the file that is mapped there, or `perfmap` for code that
was compiled at run time. `reader` reads a file once, from wherever its names are known best:
`debugfiles` and `debuginfod` find what was stripped from it, `go` reads what Go programs carry for
themselves, `builder` and its child process `worker` symbol tables and DWARF.
"""
