"""Tables as text, Markdown and HTML."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

from markupsafe import Markup

from spinealign.reporting.html import escape as escape_html
from spinealign.reporting.markdown import Markdown
from spinealign.reporting.markdown import escape as escape_markdown

_ESCAPES = {code: repr(chr(code))[1:-1] for code in (*range(32), 127)}  # control characters, as in names of files
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as CSV, with text quoted that spreadsheets run as a formula; values that a row lacks are empty."""
    stream = StringIO()
    writer = csv.writer(stream)
    writer.writerow(map(_csv_cell, columns))
    writer.writerows([_csv_cell(row.get(column, "")) for column in columns] for row in rows)
    return stream.getvalue()


def _csv_cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.6f}"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


@dataclass(frozen=True)
class Table:
    """A table, written in the format that is needed.

    Attributes:
        head: Titles of the columns; empty for none (Markdown needs one).
        rows: Cells of each row. The last cell of a row with fewer cells than columns extends over the remaining ones.
        numbers: Right-aligned columns.
    """

    head: Sequence[object]
    rows: Sequence[Sequence[object]]
    numbers: Collection[int] = ()

    def text(self) -> str:
        """Return lines with columns of equal width, without trailing spaces.

        Example:
            >>> print(Table(("file", "images"), [("a.csv", 12), ("b.csv is damaged",)], numbers=(1,)).text())
            file   images
            a.csv      12
            b.csv is damaged
        """
        lines = [[str(cell).translate(_ESCAPES) for cell in row] for row in (self.head, *self.rows) if row]
        columns = max(map(len, lines), default=0)
        counted = [line if len(line) == columns else line[:-1] for line in lines]
        widths = [max([len(line[place]) for line in counted if place < len(line)] or [0]) for place in range(columns)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if place in self.numbers else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(line, widths))
            ).rstrip()
            for line in lines
        )

    def markdown(self) -> Markdown:
        """Return a Markdown table; cells that are not `Markdown` are escaped."""
        rule = [Markdown("---:" if place in self.numbers else "---") for place in range(len(self.head))]
        lines = (map(escape_markdown, line) for line in (self.head, rule, *self.rows))
        return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))

    def html(self) -> Markup:
        """Return an HTML table that scrolls sideways; cells that are not `Markup` are escaped."""
        body = "".join(self._html_row(row, "td") for row in self.rows)
        head = self._html_row(self.head, "th")
        return Markup(f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>')  # noqa: S704

    def _html_row(self, row: Sequence[object], tag: str) -> str:
        cells = []
        for place, cell in enumerate(row):
            extends = place == len(row) - 1 < len(self.head) - 1
            span = f' colspan="{len(self.head) - place}"' if extends else ""
            mark = ' class="number"' if place in self.numbers and not extends else ""
            cells.append(f"<{tag}{mark}{span}>{escape_html(cell)}</{tag}>")
        return f"<tr>{''.join(cells)}</tr>"
