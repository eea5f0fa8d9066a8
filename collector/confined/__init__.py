"""A child process that reads what others wrote, so that no file can hurt the collector.

`child` is the collector's side, `worker` the side of the child: limits on memory and time, first
to die where memory is short, and one death is one file.

Over a socket that is the child's descriptor 0 goes one message a file, with two descriptors: the
file, and an empty one for what comes of it. The answer is a short text.
"""
