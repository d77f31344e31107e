from __future__ import annotations

from spinealign.reporting.terminal import align


def test_columns_have_equal_width():
    assert align([("a", "1", "x"), ("bbb", "222", "y")], right=(1,)) == ["a      1  x", "bbb  222  y"]


def test_the_last_cell_of_a_short_row_extends():
    assert align([("a", "b", "c"), ("dd", "a long error")]) == ["a   b  c", "dd  a long error"]


def test_nothing_gives_no_lines():
    assert align([]) == []
