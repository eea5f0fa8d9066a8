"""What is to be kept, as it is typed."""

import pytest

from profiler.errors import UsageError
from server.config import policy
from server.store.retention import Ages


def test_ages_are_of_all_profile_types_or_of_one() -> None:
    wanted = policy(["raw=14d", "off_cpu:raw=36h", "hour=forever", "off_cpu:minute=2d"], "50GB")
    assert wanted.ages == Ages(raw=14 * 24, minute=30 * 24, hour=None)
    assert wanted.of("off_cpu").raw == 36
    assert wanted.of("off_cpu").minute == 48
    assert wanted.size_bytes == 50 << 30


@pytest.mark.parametrize(("text", "bytes"), [("7", 7), ("5k", 5120), ("2 MiB", 2 << 20)])
def test_sizes_are_bytes_with_a_unit(text: str, bytes: int) -> None:
    assert policy([], text).size_bytes == bytes


@pytest.mark.parametrize(
    ("keep", "size", "says"),
    [
        ("raw", None, "--keep 'raw': expected LEVEL=TIME or TYPE:LEVEL=TIME"),
        ("day=3d", None, "the levels are raw, minute and hour"),
        ("raw=soon", None, "--keep 'raw=soon'"),
        ("raw=59m", None, "an hour is the least"),
        ("raw=7d", "much", "--keep-size 'much'"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_its_flag(keep: str, size: str | None, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        policy([keep], size)
    assert says in str(refused.value)
