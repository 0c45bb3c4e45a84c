"""Holds a configuration against the plugin's own JSON Schema: the keywords that a configuration needs, not all of them.

Keywords that are not listed here only document.

    type  enum  const  required  properties  additionalProperties  items  minItems  maxItems
    minimum  maximum  exclusiveMinimum  exclusiveMaximum  minLength  maxLength  pattern  default (of a property)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NoReturn

from slipswitch import Invalid

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "number": (int, float),
    "integer": (int,),
}


#: What each keyword's value is; those that are not listed here may be anything.
_KEYWORDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "enum": (lambda value: isinstance(value, list), "a list of values"),
    "required": (lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value), "a list of keys"),
    "properties": (lambda value: isinstance(value, dict), "a dict, a schema for each key"),
    "pattern": (lambda value: _is_pattern(value), "a regular expression"),
    **{
        name: (lambda value: isinstance(value, (int, float)) and not isinstance(value, bool), "a number")
        for name in (
            *("minItems", "maxItems", "minLength", "maxLength"),
            *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        )
    },
}


def check_schema(schema: Any, place: str) -> None:
    """Raises what is wrong with a schema itself, with its place: ``check`` would let through what it cannot read."""

    def refuse(where: str, value: Any, expected: str) -> NoReturn:
        raise TypeError(f"{where}: expected {expected}, found {value!r}")

    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        refuse(place, schema, "a JSON Schema: a dict, True or False")
    types = schema.get("type", [])
    for name in types if isinstance(types, list) else [types]:
        if name not in _TYPES:
            near = get_close_matches(str(name), _TYPES, n=1)
            mend = f' (did you mean "{near[0]}"?)' if near else ""
            refuse(f"{place}.type", name, ", ".join(_TYPES) + mend)
    for keyword, (fits, expected) in _KEYWORDS.items():
        if keyword in schema and not fits(schema[keyword]):
            refuse(f"{place}.{keyword}", schema[keyword], expected)
    for key, inner in schema.get("properties", {}).items():
        check_schema(inner, f"{place}.properties.{key}")
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            check_schema(schema[keyword], f"{place}.{keyword}")


def _is_pattern(value: Any) -> bool:
    try:
        return isinstance(value, str) and re.compile(value) is not None
    except re.error:
        return False


def check(value: Any, schema: Any, path: str = "") -> Any:
    """The value with its defaults filled in. Raises words for the author of the rule, which name the key."""
    if schema is True or schema is None:
        return value
    if schema is False:
        _refuse(value, path, "nothing")
    types = schema.get("type")
    if types is not None:
        names = [types] if isinstance(types, str) else types
        if not any(_is(value, name) for name in names):
            _refuse(value, path, " or ".join(names))
    if "enum" in schema and not any(_same(one, value) for one in schema["enum"]):
        _refuse(value, path, "one of " + ", ".join(_text(one) for one in schema["enum"]))
    if "const" in schema and not _same(schema["const"], value):
        _refuse(value, path, _text(schema["const"]))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_number(value, schema, path)
    if isinstance(value, str):
        _check_length(value, schema, path, "Length", "characters")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            _refuse(value, path, f"text that matches {schema['pattern']}")
    if isinstance(value, list):
        _check_length(value, schema, path, "Items", "items")
        return [check(item, schema.get("items"), f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, dict):
        return _check_object(value, schema, path)
    return value


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(name, ()))


def _check_number(value: float, schema: dict[str, Any], path: str) -> None:
    bounds = [
        ("minimum", "at least", lambda bound: value >= bound),
        ("maximum", "at most", lambda bound: value <= bound),
        ("exclusiveMinimum", "more than", lambda bound: value > bound),
        ("exclusiveMaximum", "less than", lambda bound: value < bound),
    ]
    for key, words, holds in bounds:
        if key in schema and not holds(schema[key]):
            _refuse(value, path, f"{words} {schema[key]}")


def _check_length(value: str | list[Any], schema: dict[str, Any], path: str, key: str, unit: str) -> None:
    if len(value) < schema.get(f"min{key}", 0):
        _refuse(value, path, f"at least {schema[f'min{key}']} {unit}")
    if f"max{key}" in schema and len(value) > schema[f"max{key}"]:
        _refuse(value, path, f"at most {schema[f'max{key}']} {unit}")


def _check_object(value: dict[str, Any], schema: dict[str, Any], path: str) -> dict[str, Any]:
    properties = schema.get("properties", {})

    def under(key: str) -> str:
        return f"{path}.{key}" if path else key

    for key in schema.get("required", []):
        if key not in value:
            raise Invalid(f"`{under(key)}` is missing")
    checked = {}
    for key, item in value.items():
        if key not in properties and schema.get("additionalProperties") is False:
            names = ", ".join(properties)
            raise Invalid(f"unknown key `{under(key)}`" + (f"; it takes {names}" if names else ""))
        checked[key] = check(item, properties.get(key, schema.get("additionalProperties")), under(key))
    for key, property in properties.items():
        if isinstance(property, dict) and "default" in property:
            checked.setdefault(key, property["default"])
    return checked


def _refuse(value: Any, path: str, expected: str) -> NoReturn:
    found = _text(value)
    shown = f"{found[:60]}…" if len(found) > 60 else found
    raise Invalid(f"{f'`{path}`' if path else 'the configuration'}: expected {expected}, found {shown}")


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
