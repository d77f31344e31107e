from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from spinealign.reporting.html import escape, figure, page, sheet, table, write_page


def test_text_is_escaped():
    assert escape("<script>alert('1')</script>&") == "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&amp;"
    assert "<b" not in escape("<b>")
    assert 'alt="a&quot;&gt;' in figure(np.zeros((8, 8), np.uint8), 'a">')


def test_lone_surrogates_can_be_written(tmp_path):
    assert write_page(page("x\udcff", [escape("x\udcff")]), tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_figure_contains_its_picture():
    markup = figure(np.full((50, 50), 200, np.uint8), "train", note="a.png", side=32)
    (data,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', markup)
    image = Image.open(BytesIO(base64.b64decode(data)))
    assert image.size == (32, 32)
    assert abs(int(np.asarray(image).mean()) - 200) < 3


def test_markup_is_balanced():
    opened: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "img"):
                opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    body = [table(("a", "b"), [("1", "2")], numbers=(1,)), sheet([figure(np.zeros((8, 8), np.uint8), "t")])]
    Checker().feed(page("title", body))
    assert opened == []


def test_a_failed_write_keeps_the_old_page(tmp_path):
    path = write_page("old", tmp_path / "page.html")
    with pytest.raises(TypeError):
        write_page(None, path)  # not text: fails during the write
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
