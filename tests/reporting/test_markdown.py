from __future__ import annotations

from spinealign.reporting.markdown import Markdown, escape, table


def test_a_cell_cannot_break_the_table():
    lines = table(("name", "count"), [("a|b\nc", 3), ("d\\", 4)]).splitlines()
    assert lines == ["| name | count |", "| --- | --- |", "| a\\|b c | 3 |", "| d\\\\ | 4 |"]


def test_markdown_is_not_escaped_again():
    assert escape(escape("a*b")) == "a\\*b"
    assert table(("a",), [(Markdown("**b**"),)]).endswith("| **b** |")
