"""Self-contained HTML pages: no scripts, no external files, no external fonts."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.writing import new_file

STYLE = """
:root{color-scheme:light dark;--ink:#1c2026;--quiet:#626a74;--paper:#fff;--card:#f5f6f8;--line:#dde1e6;
--alarm:#b3261e;--soft:#fbeae9;--calm:#1b6e4a;--bar:#4a7db5}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--quiet:#9aa3ad;--paper:#14171a;--card:#1d2125;--line:#31373d;
--alarm:#ff8a80;--soft:#3a2220;--calm:#7fd1a9;--bar:#6fa3db}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:1.5rem 1rem 3rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2.25rem 0 .5rem}
h3{font-size:1rem;margin:1.25rem 0 .4rem}
p{margin:.4rem 0}.quiet,figcaption,th{color:var(--quiet)}
.verdict{list-style:none;margin:1rem 0;padding:.75rem 1rem;border-left:.3rem solid var(--calm);background:var(--card)}
.verdict.alarm{border-color:var(--alarm);background:var(--soft)}
.verdict li+li{margin-top:.5rem}.verdict li:first-child{font-weight:600}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}
th{font-weight:500;text-align:left}td,th{padding:.3rem .75rem .3rem 0;border-bottom:1px solid var(--line);
overflow-wrap:normal;vertical-align:top}.number{text-align:right;font-variant-numeric:tabular-nums}
.alarmed{color:var(--alarm);font-weight:600}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(6.5rem,1fr));gap:.75rem;margin-bottom:.75rem}
figure{margin:0}figure img{display:block;width:100%;aspect-ratio:1;background:#000;border-radius:.25rem}
figcaption{font-size:.72rem;line-height:1.3;margin-top:.25rem}figcaption b{color:var(--ink)}
.bar{display:inline-block;width:6rem;height:.6rem;background:var(--line);border-radius:.3rem;overflow:hidden}
.bar i{display:block;height:100%;background:var(--bar)}.alarmed .bar i{background:var(--alarm)}
""".strip()


def escape(text: object) -> str:
    """Return text escaped for HTML; lone surrogates become question marks."""
    return html.escape(str(text).encode("utf-8", "replace").decode("utf-8"))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    """Return a table; cells are markup, so escape any text.

    Args:
        head: Titles of the columns.
        rows: Cells of each row.
        numbers: Right-aligned columns.
    """

    def line(cells: Sequence[str], tag: str) -> str:
        marks = (' class="number"' if column in numbers else "" for column in range(len(cells)))
        return f"<tr>{''.join(f'<{tag}{mark}>{cell}</{tag}>' for cell, mark in zip(cells, marks))}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f'<div class="scroll"><table><thead>{line(head, "th")}</thead><tbody>{body}</tbody></table></div>'


def figure(gray: NDArray[np.uint8], title: str, *, note: str = "", side: int = 128) -> str:
    """Return an image of shape (H, W), resized to side x side pixels, with a caption: `title` in bold, and `note`."""
    stream = BytesIO()
    Image.fromarray(gray).resize((side, side), Image.Resampling.BOX).save(stream, "JPEG", quality=80)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    caption = f"<b>{escape(title)}</b> {escape(note)}"
    return (
        f'<figure><img alt="{escape(title)} {escape(note)}" src="data:image/jpeg;base64,{data}" loading="lazy">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def sheet(figures: Iterable[str]) -> str:
    """Return figures in rows that adapt to the width of the screen."""
    return f'<div class="sheet">{"".join(figures)}</div>'


def page(title: str, body: Iterable[str]) -> str:
    """Return a complete document; `body` is markup, `title` is escaped."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def write_page(content: str, path: str | Path) -> Path:
    """Write a document atomically and return its path."""
    path = Path(path)
    with new_file(path) as staging:
        staging.write_text(content, encoding="utf-8")
    return path
