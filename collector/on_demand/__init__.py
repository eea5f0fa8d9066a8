"""Sessions: closer profiles of some processes, for a while, which somebody asks for by a server.

`sessions` begins and bounds them, `session` is one of them, `events` says what of them there is.
"""
