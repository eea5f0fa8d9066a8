"""Names of Go functions, also of stripped programs: Go's runtime needs them for its own tracebacks.

`module` finds the tables in a file, `table` looks addresses up in them.
"""
