"""What runs on this node: processes, their mappings and their labels, read from /proc.

Everything that another process can put there is hostile: reads are bounded, names are made
printable, and a process may be gone between any two of them.
"""
