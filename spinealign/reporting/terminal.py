"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def align(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> list[str]:
    """Pad the cells of a table to columns of equal width.

    Args:
        rows: Cells of each row. The last cell of a row with fewer cells than the longest row extends over the remaining
            columns and does not widen them.
        right: Right-aligned columns.

    Returns:
        One line for each row, without trailing spaces.

    Example:
        >>> align([("file", "images"), ("a.csv", "12"), ("b.csv is damaged",)], right=(1,))
        ['file   images', 'a.csv      12', 'b.csv is damaged']
    """
    columns = max(map(len, rows), default=0)
    counted = [row if len(row) == columns else row[:-1] for row in rows]
    widths = [max((len(row[column]) for row in counted if column < len(row)), default=0) for column in range(columns)]
    return [
        "  ".join(
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]
