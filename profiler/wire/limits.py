"""What one message and one stream may hold. The encoder keeps within, the decoder insists."""

MESSAGE_BYTES = 32 << 20
"""One batch. A drain of 16,384 distinct stacks of 60 frames, none shared, is 8 MiB of nodes and
as much again of frames and names; twice that is room enough, and bounds what a sender can make
the receiver allocate. gRPC's own default of 4 MiB would not do."""

STRING_BYTES = 16 << 10
"""One string, in UTF-8. Demangled C++ names reach some thousands of bytes."""

LABEL_BYTES = 1024
"""A label's value, a host's name. PostgreSQL's B-tree takes keys of 2,704 bytes at most."""

NAME_BYTES = 128
"""A label's name, a profile type, a unit, a cause of loss."""

LABELS = 64
"""Labels of a series."""

CAUSES = 64
"""Causes of loss in a batch."""

PROFILES = 1 << 16
"""Series in a batch: a node has fewer processes (pid_max is 32,768 unless raised)."""

STREAM_STRINGS = 1 << 20
STREAM_STRING_BYTES = 2 * MESSAGE_BYTES
STREAM_FRAMES = 1 << 20
STREAM_NODES = 1 << 22
"""What a stream may number. The receiver keeps all of it for as long as the stream lives: about
64 MiB of text and 68 MiB of columns at the very most. Senders begin a new stream long before."""

COUNT = 1 << 53
"""Samples and values of a batch stay below it: a JSON number holds them exactly, it is 104 CPU
days in nanoseconds, and a thousand such batches still add up in an int64."""

TIME_NS = (1 << 63) - 1
"""Unix nanoseconds as an int64: until the year 2262."""
