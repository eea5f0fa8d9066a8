"""HTML and SVG as files; tests/browser/test_exports.py opens them."""

import gzip
import json
import re
from base64 import b64decode
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given

from profiler.errors import UsageError
from profiler.formats import PICTURES, html, svg
from profiler.model import Frame, Profile, ProfileBuilder
from tests.builders import profile
from tests.profiler.strategies import profiles

pytestmark = pytest.mark.skipif(
    not (html._STATIC / "export.html").is_file(), reason="the templates are not built: make web"
)

SPACE = {"svg": "http://www.w3.org/2000/svg"}


def held(file: bytes) -> dict[str, Any]:
    """The JSON of the packed form in a file."""
    (found,) = re.findall(rb'id="flamegraph">([^<]*)<', file)
    packed = gzip.decompress(b64decode(found))
    answer: dict[str, Any] = json.loads(packed[4 : 4 + int.from_bytes(packed[:4], "little")])
    return answer


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_holds_all_nodes(name: str) -> None:
    file = PICTURES[name].dumps(profile("main;f 3", "main;g 1"))
    answer = held(file)
    assert answer["strings"] == ["", "main", "f", "g"]
    assert (answer["nodes"]["count"], answer["hidden"]) == (4, {"nodes": 0})


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_asks_nobody_for_anything(name: str) -> None:
    file = PICTURES[name].dumps(profile("main 1"))
    addresses = set(re.findall(rb"https?://[\w./-]+", file))
    assert addresses <= {b"http://www.w3.org/2000/svg", b"http://www.w3.org/1999/xhtml"} | {
        b"http://www.w3.org/1998/Math/MathML",
        b"http://www.w3.org/1999/xlink",
    }


HOSTILE = '</script><script>alert(1)</script> {{frames}} {{flamegraph}} ]]> & "\x00\x1b\ufffe'


def test_names_and_labels_of_strangers_are_text() -> None:
    builder = ProfileBuilder()
    builder.add([Frame(HOSTILE)], 1, 1)
    given = builder.build(labels=(("service_name", HOSTILE),))
    page = html.dumps(given)
    assert page.count(b"</script>") == 2
    assert held(page)["strings"][1] == HOSTILE
    picture = ElementTree.fromstring(svg.dumps(given))
    titles = [element.text or "" for element in picture.iterfind(".//svg:g/svg:title", SPACE)]
    assert titles[1].startswith("</script><script>alert(1)</script> {{frames}}")
    assert len(picture.findall(".//svg:script", SPACE)) == 1


def test_frames_are_groups_where_their_parents_stand() -> None:
    picture = ElementTree.fromstring(svg.dumps(profile("main;f 3", "main;g 1", "a_long_name 96")))
    groups = picture.findall("./svg:g[@id='frames']/svg:g", SPACE)
    found = {}
    for group in groups:
        title, rect = group.find("svg:title", SPACE), group.find("svg:rect", SPACE)
        assert title is not None and rect is not None
        found[title.text] = (float(rect.get("x", "")), float(rect.get("width", "")))
    assert found == {
        "total 100% 100 samples": (10, 1179.5),
        "a_long_name 96.0% 96 samples": (10, 1132.3),
        "main 4.00% 4 samples": (1142.8, 46.7),
        "f 3.00% 3 samples": (1142.8, 34.9),
        "g 1.00% 1 samples": (1178.2, 11.3),
    }
    texts = [text.text for text in picture.iterfind(".//svg:g/svg:text", SPACE)]
    assert texts == ["total", "a_long_name", "main", "f"]


def test_what_is_too_thin_is_a_marker_of_its_width() -> None:
    lines = ["main 4000", *(f"loop;thin_{n} 1" for n in range(4000))]
    picture = ElementTree.fromstring(svg.dumps(profile(*lines)))
    (marker,) = picture.findall(".//svg:rect[@class='thin']", SPACE)
    assert float(marker.get("width", "")) == 589.5


@given(profiles())
def test_any_profile_is_drawn(given: Profile) -> None:
    ElementTree.fromstring(svg.dumps(given))


def test_a_template_that_is_not_built_is_said() -> None:
    with pytest.raises(UsageError, match="make web"):
        html.template("nothing.html")
