import pytest

from profiler.errors import UsageError
from profiler.formats import FORMATS, Format, by_name
from tests.builders import profile


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_every_format_reads_what_it_writes(format: Format) -> None:
    original = profile("main;f 3", "main 1")
    assert format.loads(format.dumps(original)).total_value in (4, original.total_value)
    assert format.dumps(original) == format.dumps(original)
    assert format.suffix.startswith(".")


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_every_format_can_say_nothing(format: Format) -> None:
    assert format.loads(format.dumps(profile())).total_value == 0


def test_an_unknown_format_is_answered_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no format 'perf'; choose from folded, pprof"):
        by_name("perf")
