"""The crash test: servers and maintainers of one database are killed at random, and nothing of
what was acknowledged is lost, doubled or summed up wrongly.

`servers` are the processes that are killed, `collectors` send to them as collectors do, `ledger`
is the plain dictionary of what was sent and acknowledged, `audit` compares it with the database,
`run` is all of it together. `mutations` takes one guard after the other away and shows that each is
missed. `tests/server/test_crash.py` is a short run, `make bench-crash` a long one.
"""
