"""Markdown text and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


class Markdown(str):
    """Text that is Markdown already and is not escaped again."""

    __slots__ = ()


def escape(text: object) -> Markdown:
    r"""Return text on one line, with the characters escaped that Markdown would interpret.

    Example:
        >>> print(escape("a|b [x]\n# c"))
        a\|b \[x\] # c
    """
    if isinstance(text, Markdown):
        return text
    return Markdown(re.sub(r"([\\`*\[\]<>|])", r"\\\1", re.sub(r"\s+", " ", str(text))))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Markdown:
    """Return a table; cells that are not `Markdown` are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return Markdown("\n".join(f"| {' | '.join(map(escape, line))} |" for line in lines))
