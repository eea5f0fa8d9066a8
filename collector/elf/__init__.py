"""ELF files, read within bounds: for names, for unwinding and for the interpreters in them.

`source` is where bytes come from, `file` reads headers, `notes` the build-id, `symbols` the symbol
tables. Whoever has mapped a file wrote what is in it, so every size and offset is doubted, and
what cannot be is a FormatError.
"""
