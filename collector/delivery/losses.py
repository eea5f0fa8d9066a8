"""Batches reduced to their accounts: what remains of samples that will not arrive.

A lost batch keeps its place, its window and what it says was taken; its samples become a loss
with a cause. So the accounts of every batch close, and the server learns of every sample.
"""

from profiler.v1 import ingest_pb2 as pb


def accounts(batch: pb.Batch) -> pb.Batch:
    """`batch` without its samples; what it held is what its accounts do not close by."""
    remains = pb.Batch(
        collector_id=batch.collector_id, sequence=batch.sequence, accounts=batch.accounts
    )
    if batch.HasField("progress"):
        remains.progress.CopyFrom(batch.progress)
    return remains


def held(batch: pb.Batch) -> int:
    """The samples that the batch of these accounts holds, or held."""
    return batch.accounts.taken - sum(batch.accounts.losses.values())


def lost(batch: pb.Batch, cause: str) -> pb.Batch:
    """`batch` with all of its samples lost by `cause`."""
    remains = accounts(batch)
    if (samples := held(batch)) > 0:
        remains.accounts.losses[cause] += samples
    return remains


def mergeable(first: pb.Batch, second: pb.Batch) -> bool:
    """True where one batch can speak for both."""
    return (
        first.collector_id == second.collector_id
        and first.HasField("progress") == second.HasField("progress")
        and first.progress == second.progress
        and all(
            getattr(first.accounts, field) == getattr(second.accounts, field)
            for field in ("host_name", "profile_type", "unit")
        )
    )


def merged(first: pb.Batch, second: pb.Batch) -> pb.Batch:
    """The accounts of both over both windows, under the number of `second`."""
    total = accounts(second)
    a, b, sums = first.accounts, second.accounts, total.accounts
    sums.start_ns = min(a.start_ns, b.start_ns)
    end_ns = max(a.start_ns + a.duration_ns, b.start_ns + b.duration_ns)
    sums.duration_ns = end_ns - sums.start_ns
    sums.taken = a.taken + b.taken
    for cause, samples in a.losses.items():
        sums.losses[cause] += samples
    return total
