"""What a sample belongs to: the labels of a process, from its control group, its environment, the
container engine and the operator's rules.

All of it is what other people's processes say of themselves: bounded, made printable, and never
more than a label.
"""
