"""The only SQL of the project: tables, migrations, the codec of the blobs, the symbol logs.

`database` opens SQLite or PostgreSQL and gives transactions. Samples arrive as `hot` rows;
`compaction` moves them into chunks of an hour (`chunk` is their layout, `archive` their rows);
`renewal` sums these up into `rollup` rows, and `stale` knows which of those must not be used.
`samples` reads all of them by a `plan`. `catalog` holds scopes and series, `symbols` frames and
stacks, `accounts` what was lost. What a transaction cannot do is a ProfilerError.
"""
