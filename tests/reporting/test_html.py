from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from PIL import Image

from spinealign.reporting.html import escape, picture_url


def test_text_is_escaped_once():
    assert escape("<script>alert('1')</script>&") == "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;"
    assert escape(escape("<b>")) == "&lt;b&gt;"


def test_lone_surrogates_can_be_encoded():
    assert escape("x\udcff").encode() == b"x?"


def test_a_picture_is_resized_and_embedded():
    data = picture_url(np.full((50, 50), 200, np.uint8), side=32).removeprefix("data:image/jpeg;base64,")
    image = Image.open(BytesIO(base64.b64decode(data)))
    assert image.size == (32, 32)
    assert abs(int(np.asarray(image).mean()) - 200) < 3
