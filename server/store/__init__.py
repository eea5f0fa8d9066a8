"""The only SQL of the project: tables, migrations, the codec of the blobs, the symbol logs.

`database` opens SQLite or PostgreSQL and gives transactions; `catalog` (scopes and series),
`symbols` (frames and stacks), `samples` (what was measured) and `accounts` (what was lost) each
read and write their tables inside one. What a transaction cannot do is a ProfilerError.
"""
