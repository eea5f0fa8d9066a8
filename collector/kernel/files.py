"""Where the files of bpf/ are: beside the packages in the source tree, in collector/ in a wheel."""

from pathlib import Path

from profiler.errors import UnavailableError

_COLLECTOR = Path(__file__).resolve().parent.parent
_PLACES = (_COLLECTOR / "bpf", _COLLECTOR.parent / "bpf")


def find(name: str) -> Path:
    """The path of `name` in bpf/: `build/profile.bpf.o`, `profile.bcc.c`, `bcc-headers`."""
    for place in _PLACES:
        if (place / name).exists():
            return place / name
    hint = "run `make bpf`" if name.startswith("build/") else "install the profiler again"
    raise UnavailableError(f"bpf/{name} is not there: {hint}")
