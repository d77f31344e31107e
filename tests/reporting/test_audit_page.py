from __future__ import annotations

import re
from dataclasses import replace

from spinealign.reporting.audit_page import render_audit_page, write_audit_page


def test_the_page_stands_alone(findings):
    content = render_audit_page(findings)
    assert not re.search(r"<script|<link|https?://|src=\"(?!data:)", content)
    assert "prefers-color-scheme:dark" in content
    assert 'name="viewport"' in content


def test_names_are_text_wherever_they_stand(findings):
    content = render_audit_page(findings)
    assert "<b>B</b>" not in content
    assert "&lt;b&gt;B&lt;/b&gt;" in content
    assert "Audit of set &amp; co" in content


def test_the_verdict_comes_first(findings):
    content = render_audit_page(findings)
    assert content.index("The first sentence.") < content.index("<h2>")
    assert 'class="verdict alarm"' in content


def test_a_straddling_source_is_shown_from_both_splits(findings):
    shown = render_audit_page(findings).split("<h3>A (1)</h3>")[1].split("<h2>")[0]
    assert re.findall(r"<figcaption><b>(\w+)</b>", shown) == ["train", "val"]


def test_every_class_has_its_average_and_its_sources(findings):
    shown = render_audit_page(findings).split("<h3>normal</h3>")[1].split("<h2>")[0]
    assert shown.count("<img") == 3
    assert "average" in shown


def test_what_the_verdict_only_counts_is_named(findings):
    content = render_audit_page(findings)
    assert "<td>B, C</td>" in content.split("<h2>Classes from few series</h2>")[1].split("<h2>")[0]
    assert "<p>A (1)</p>" in content.split("<h2>Sources with more than one class</h2>")[1].split("<h2>")[0]


def test_what_was_not_found_takes_no_room(findings):
    content = render_audit_page(replace(findings, straddling=(), properties=(), unreadable=()))
    assert "In two splits" not in content
    assert "Properties" not in content
    assert "could not be read" not in content


def test_the_page_is_written_in_place(findings, tmp_path):
    path = write_audit_page(findings, tmp_path / "audit.html")
    assert path.read_text(encoding="utf-8") == render_audit_page(findings)
    assert list(tmp_path.iterdir()) == [path]
