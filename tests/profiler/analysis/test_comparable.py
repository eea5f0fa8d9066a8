import pytest

from profiler.analysis.comparable import check
from profiler.errors import NotComparable
from profiler.model import CPU, OFF_CPU, Frame, Profile, ProfileBuilder
from tests.builders import profile


def unit(arch: str = "", period: int = 10_000_000) -> Profile:
    labels = (("host_arch", arch),) if arch else ()
    return profile("main;f 3", labels=labels, period=period)


def test_like_profiles_are_compared_without_a_word() -> None:
    assert check([unit("amd64"), unit()], [unit("amd64")]) == ()


def test_other_rates_are_compared_and_said() -> None:
    (notice,) = check([unit()], [unit(period=1_000_000)])
    assert "a sample each 10,000,000, a sample each 1,000,000" in notice
    assert "compared by value" in notice


def test_other_types_and_architectures_are_refused() -> None:
    off_cpu = profile("main;f 3", type=OFF_CPU)
    with pytest.raises(NotComparable, match="types: baseline: cpu in nanoseconds; candidate: off"):
        check([unit()], [off_cpu])
    with pytest.raises(NotComparable, match="architectures: baseline: amd64; candidate: arm64"):
        check([unit("amd64")], [unit("arm64")])


def test_an_empty_side_is_refused() -> None:
    with pytest.raises(NotComparable, match="the candidate has no samples"):
        check([unit()], [profile()])


def test_a_side_whose_sum_exceeds_64_bits_is_refused() -> None:
    large = profile(f"main {2**62}", period=1)
    with pytest.raises(NotComparable, match="the candidate adds up to 9,223,372,036,854,775,808"):
        check([large], [large, large])


def test_a_side_without_symbols_is_refused() -> None:
    builder = ProfileBuilder()
    builder.add([Frame("main"), Frame("[unknown] app+0x12")], 3, 3)
    builder.add([Frame("main"), Frame("f")], 1, 1)
    stripped = builder.build(CPU, period=10_000_000)
    with pytest.raises(NotComparable, match="0% of the baseline's samples and 75% of"):
        check([unit()], [stripped])
    assert check([stripped], [stripped]) == ()
