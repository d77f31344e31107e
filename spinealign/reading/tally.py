"""Counts of what was passed over."""

from __future__ import annotations

import re

_HEAD = re.compile(r"^(.+?)(?= (?:of|with|without|outside|to|in|that|whose) |$)")


class Tally:
    """Items that were passed over, counted by kind, with the first of each kind as an example."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, kind: str, example: str) -> None:
        """Count an item; `kind` is a singular noun, such as `file without an image`."""
        count, first = self._found.get(kind, (0, example))
        self._found[kind] = (count + 1, first)

    def update(self, other: Tally) -> None:
        """Add the items of another tally."""
        for kind, (count, example) in other._found.items():
            known, first = self._found.get(kind, (0, example))
            self._found[kind] = (known + count, first)

    def total(self) -> int:
        """Return the number of items."""
        return sum(count for count, _ in self._found.values())

    def __str__(self) -> str:
        """Return the counts as text.

        Example:
            >>> tally = Tally()
            >>> for name in ("a.txt", "b.txt"):
            ...     tally.add("text file", name)
            >>> str(tally)
            '2 text files (a.txt)'
        """
        counts = sorted(self._found.items(), key=lambda item: (-item[1][0], item[0]))
        return ", ".join(f"{counted(count, kind)} ({example})" for kind, (count, example) in counts)


def counted(count: int, noun: str) -> str:
    """Return a number and a noun in singular or plural.

    Example:
        >>> counted(2, "directory of files")
        '2 directories of files'
    """
    if count == 1:
        return f"1 {noun}"
    plural = _HEAD.sub(lambda match: match[0][:-1] + "ies" if match[0].endswith("y") else match[0] + "s", noun, 1)
    return f"{count:,} {plural}"
