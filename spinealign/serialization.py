"""Dataclasses to and from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import lru_cache
from math import isfinite
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

NOT_STORED = {"stored": False}  # metadata of dataclass fields that files do not contain


def to_plain(value: Any) -> Any:
    """Convert a dataclass and all dataclasses in it to dicts, without the fields that are marked `NOT_STORED`.

    Example:
        >>> from dataclasses import make_dataclass
        >>> to_plain(make_dataclass("Point", ["x", "y"])(1, (2, 3)))
        {'x': 1, 'y': (2, 3)}
    """
    if is_dataclass(value):
        return {item.name: to_plain(getattr(value, item.name)) for item in fields(value) if _is_stored(item)}
    if isinstance(value, Mapping):
        return {name: to_plain(item) for name, item in value.items()}
    return type(value)(map(to_plain, value)) if isinstance(value, list | tuple) else value


def rebuild(kind: Any, content: Any) -> Any:
    """Build a value of type `kind` from decoded JSON and check its types.

    Unknown fields of a dataclass are ignored and missing ones take their defaults, so files of older and newer releases
    can be read. A kind is a dataclass, or a type that its fields may have: str, bool, int, float, Any, Literal, tuples,
    dicts with text keys, dataclasses, each also `| None`.

    Raises:
        ValueError: If a field without a default is missing, a value has the wrong type, or a number is not finite.

    Example:
        >>> rebuild(tuple[float, float] | None, [0, 0.5])
        (0.0, 0.5)
    """
    parts, origin = get_args(kind), get_origin(kind)
    if kind is Any or (content is None and NoneType in parts):
        return content
    if NoneType in parts:
        return rebuild(parts[0], content)
    if origin is Literal:
        if content not in parts:
            raise ValueError(f"expected one of {', '.join(map(str, parts))}, got {content!r}")
        return content
    if origin is tuple:
        if not isinstance(content, list | tuple):
            raise ValueError(f"expected a list, got {type(content).__name__}")
        kinds = parts[:1] * len(content) if parts[-1] is ... else parts
        return tuple(rebuild(part, item) for part, item in zip(kinds, content, strict=True))
    if is_dataclass(kind) or origin in (dict, Mapping):
        if not isinstance(content, Mapping):
            raise ValueError(f"expected an object, got {type(content).__name__}")
        return (
            _rebuild_dataclass(kind, content)
            if is_dataclass(kind)
            else {name: rebuild(parts[1], value) for name, value in content.items()}
        )
    if kind is float and isinstance(content, int) and not isinstance(content, bool) and abs(content) < 2**53:
        content = float(content)  # JSON has one type of number
    if not isinstance(content, kind) or (isinstance(content, bool) and kind is not bool):
        raise ValueError(f"expected {kind.__name__}, got {type(content).__name__}")
    if kind is float and not isfinite(content):
        raise ValueError("a number is not finite")
    return content


def _rebuild_dataclass(kind: Any, content: Mapping[str, Any]) -> Any:
    kinds = _type_hints(kind)
    items = [item for item in fields(kind) if item.init and _is_stored(item)]
    needed = [item.name for item in items if item.default is MISSING and item.default_factory is MISSING]
    if missing := [name for name in needed if name not in content]:
        raise ValueError(f"missing fields: {', '.join(missing)}")
    try:
        given = {item.name: rebuild(kinds[item.name], content[item.name]) for item in items if item.name in content}
    except RecursionError as error:
        raise ValueError("the content is nested too deeply") from error
    return kind(**given)


@lru_cache
def _type_hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _is_stored(item: Field[Any]) -> bool:
    return bool(item.metadata.get("stored", True))
