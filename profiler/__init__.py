"""The core of a continuous profiler: values, formats, analysis and the command line.

Nothing here opens a database or loads a kernel program; `collector` and `server` stand above
this package and import it, never the other way round.
"""
