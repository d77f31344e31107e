"""Text in Markdown."""

from __future__ import annotations

import re


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
