from __future__ import annotations

from spinealign.reporting.markdown import escape


def test_markdown_is_not_escaped_again():
    assert escape(escape("a*b")) == "a\\*b"
