"""What to say where nothing was selected: a type, a label or a value that no series has.

no samples of cpu{service_name="shp"} from now-1h to now: no service_name is 'shp'; there are: shop
"""

from collections.abc import Sequence
from difflib import get_close_matches

from profiler import selector
from profiler.cli.options import Selection
from profiler.cli.terminal import printable, when
from profiler.errors import ProfilerError
from profiler.selector import Matcher

SHOWN = 8
"""Of what there is; who wants all of it asks the page."""


def said(of: Selection) -> str:
    """That there are no samples, and why as far as the server can tell."""
    reason = why(of)
    return f"no samples of {_range(of)}" + (f": {reason}" if reason else "")


def function(of: Selection, name: str, samples: int) -> str:
    """That no function is called so, if there are samples."""
    return f"no function {name!r} in the samples of {_range(of)}" if samples else said(of)


def hosts(of: Selection) -> list[str]:
    """Those that there are samples of."""
    found: list[str] = of.client.get("labels/host_name/values", of.parameters)["values"]
    return found


def why(of: Selection) -> str:
    """The first mistake that would select nothing; "" where there is none, or no server to ask."""
    try:
        client, wanted = of.client, selector.parse(of.query)
        types = [one["name"] for one in client.get("profile-types", {})["profile_types"]]
        if wanted.profile_type not in types:
            return (
                f"no profile type is {wanted.profile_type!r}; {_among(wanted.profile_type, types)}"
            )
        asked = {"query": wanted.profile_type, "from": of.start, "to": of.end}
        for matcher in wanted.matchers:
            if matcher.op == "=":
                values = client.get(f"labels/{matcher.name}/values", asked)["values"]
                if matcher.value and matcher.value not in values:
                    return _missing(matcher, values)
    except (ProfilerError, KeyError, TypeError):
        pass
    return ""


def _range(of: Selection) -> str:
    return f"{printable(of.query)} from {_time(of.start)} to {_time(of.end)}"


def _time(text: str) -> str:
    """As it was given; the milliseconds of a deploy, which nobody has typed, to be read."""
    return when(int(text), hours=True) if len(text) == 13 and text.isdecimal() else text


def _missing(matcher: Matcher, values: Sequence[str]) -> str:
    if not values:
        return f"no series has a label {matcher.name} in this range"
    return f"no {matcher.name} is {matcher.value!r}; {_among(matcher.value, values)}"


def _among(wanted: str, found: Sequence[str]) -> str:
    """The most alike, else the first ones."""
    shown = get_close_matches(wanted, found, SHOWN) or list(found[:SHOWN])
    more = ", …" if len(found) > len(shown) else ""
    return f"there are: {', '.join(map(printable, shown))}{more}" if found else "there are none yet"
