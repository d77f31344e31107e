from __future__ import annotations

from html.parser import HTMLParser

from markupsafe import Markup

from spinealign.reporting.markdown import Markdown
from spinealign.reporting.tables import Table


def test_text_columns_have_equal_width():
    assert Table((), [("a", 1, "x"), ("bbb", 222, "y")], numbers=(1,)).text() == "a      1  x\nbbb  222  y"


def test_the_last_cell_of_a_short_row_extends():
    table = Table(("a", "b", "c"), [("dd", "a long error")])
    assert table.text() == "a   b  c\ndd  a long error"
    assert '<td>dd</td><td colspan="2">a long error</td>' in table.html()


def test_an_empty_table_is_empty_text():
    assert Table((), []).text() == ""


def test_a_cell_cannot_break_a_markdown_table():
    lines = Table(("name", "count"), [("a|b\nc", 3), ("d\\", 4)], numbers=(1,)).markdown().splitlines()
    assert lines == ["| name | count |", "| --- | ---: |", "| a\\|b c | 3 |", "| d\\\\ | 4 |"]


def test_markup_is_kept_and_text_escaped():
    assert Table(("a",), [(Markdown("**b**"),)]).markdown().endswith("| **b** |")
    html = Table(("<a>",), [(Markup("<b>1</b>"),), ("<i>",)]).html()
    assert "<th>&lt;a&gt;</th>" in html
    assert "<td><b>1</b></td>" in html
    assert "<td>&lt;i&gt;</td>" in html


def test_html_is_balanced_and_numbers_are_marked():
    opened: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attrs):
            opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    html = Table(("a", "b"), [("1", "2"), ("3",)], numbers=(1,)).html()
    Checker().feed(html)
    assert opened == []
    assert '<td class="number">2</td>' in html
