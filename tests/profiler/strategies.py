"""Profiles for the laws that every profile keeps."""

from hypothesis import strategies as st

from profiler.model import CPU, Frame, Kind, Profile, ProfileBuilder, ProfileType

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)

frames = st.builds(
    Frame,
    function=st.sampled_from(["main", "work", "read;token", "a\nb", "%3B", "operator%"]) | names,
    file=st.sampled_from(["", "a.c", "b.c"]),
    line=st.integers(0, 9),
    binary=st.sampled_from(["", "/bin/a", "/lib/b.so"]),
    build_id=st.sampled_from(["", "c0ffee"]),
    address=st.integers(0, 2**64 - 1),
    kind=st.sampled_from([Kind.NATIVE, Kind.KERNEL, Kind.PYTHON]),
)


@st.composite
def profiles(
    draw: st.DrawFn,
    type: ProfileType = CPU,
    frames: st.SearchStrategy[Frame] = frames,
    period: int = 10,
) -> Profile:
    """Small profiles whose stacks share callers, recurse and may be empty."""
    pool = draw(st.lists(frames, min_size=1, max_size=6))
    builder = ProfileBuilder()
    for stack in draw(st.lists(st.lists(st.sampled_from(pool), max_size=6), max_size=12)):
        samples = draw(st.integers(0, 1000))
        builder.add(stack, samples, samples * period)
    return builder.build(type, period=period)
