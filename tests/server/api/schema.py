"""As much of JSON Schema as openapi.json uses; any other keyword is an error of the test."""

import re
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "number": (int, float),
}
_KEYWORDS = {
    *("type", "properties", "required", "additionalProperties", "items"),
    *("enum", "const", "pattern", "description", "$ref"),
}


def mistakes(
    value: Any, schema: dict[str, Any], document: dict[str, Any], at: str = ""
) -> list[str]:
    """What of `value` is not as `schema` says, with the place of each."""
    if "$ref" in schema:
        return mistakes(value, resolve(schema, document), document, at)
    assert schema.keys() <= _KEYWORDS, schema.keys() - _KEYWORDS
    expected = schema.get("type")
    if expected and not _is(value, expected):
        return [f"{at}: {value!r:.40} is no {expected}"]
    found = [
        f"{at}: {value!r:.40} is not as {keyword} says"
        for keyword, fits in (
            ("enum", lambda allowed: value in allowed),
            ("const", lambda only: value == only),
            ("pattern", lambda pattern: re.search(pattern, value)),
        )
        if keyword in schema and not fits(schema[keyword])
    ]
    if isinstance(value, list):
        for number, item in enumerate(value):
            found += mistakes(item, schema["items"], document, f"{at}[{number}]")
    if isinstance(value, dict):
        found += _members(value, schema, document, at)
    return found


def resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` means; anything else is itself."""
    found: Any = document
    for step in schema["$ref"].removeprefix("#/").split("/") if "$ref" in schema else ():
        found = found[step]
    return found if "$ref" in schema else schema


def _members(
    value: dict[str, Any], schema: dict[str, Any], document: dict[str, Any], at: str
) -> list[str]:
    found = [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    others = schema.get("additionalProperties", True)
    for name, member in value.items():
        known = schema.get("properties", {}).get(name, others)
        if known is False:
            found.append(f"{at}: {name} is not described")
        elif known is not True:
            found += mistakes(member, known, document, f"{at}.{name}")
    return found


def _is(value: Any, expected: str) -> bool:
    is_bool = isinstance(value, bool)
    return isinstance(value, _TYPES[expected]) and is_bool == (expected == "boolean")
