"""Rebuild what `dataclasses.asdict` took apart, after a way through JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from math import isfinite
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints


def rebuild(kind: Any, content: Any) -> Any:
    """Rebuild a value, and see that all in it is of its kind.

    Args:
        kind: A dataclass, or what its fields may be annotated with: str, int, float, tuples, dicts with text for keys,
            further dataclasses, each of them also `| None`.
        content: What `asdict` or JSON made of it.

    Returns:
        A value of the kind.

    Raises:
        ValueError: If a field is missing, not known, not of its kind, or no finite number.

    Example:
        >>> rebuild(tuple[float, float] | None, [0, 0.5])
        (0.0, 0.5)
    """
    parts = get_args(kind)
    if is_dataclass(kind):
        kinds = get_type_hints(kind)
        fields = _mapping(content)
        if fields.keys() != kinds.keys():
            raise ValueError(f"fields are missing or not known: {', '.join(sorted(fields.keys() ^ kinds.keys()))}")
        return kind(**{name: rebuild(kinds[name], value) for name, value in fields.items()})  # type: ignore[operator]
    if NoneType in parts:
        return None if content is None else rebuild(parts[0], content)
    if get_origin(kind) is dict:
        return {name: rebuild(parts[1], value) for name, value in _mapping(content).items()}
    if get_origin(kind) is tuple:
        if not isinstance(content, list | tuple):
            raise ValueError(f"{type(content).__name__} where a list belongs")
        kinds_of_items = parts[:1] * len(content) if parts[-1] is ... else parts
        return tuple(rebuild(part, item) for part, item in zip(kinds_of_items, content, strict=True))
    return _plain(kind, content)


def _mapping(content: Any) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise ValueError(f"{type(content).__name__} where names with values belong")
    return content


def _plain(kind: Any, content: Any) -> Any:
    if kind is float and isinstance(content, int) and not isinstance(content, bool) and abs(content) < 2**53:
        content = float(content)  # JSON knows one kind of number
    if not isinstance(content, kind) or isinstance(content, bool):
        raise ValueError(f"{type(content).__name__} where {kind.__name__} belongs")
    if kind is float and not isfinite(content):
        raise ValueError("a number that is not finite")
    return content
