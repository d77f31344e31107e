from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from spinealign.reporting.audit_page import render_audit_page, write_audit_page


def test_the_page_is_self_contained(findings):
    content = render_audit_page(findings)
    assert not re.search(r"<script|<link|https?://|src=\"(?!data:)", content)
    assert "prefers-color-scheme:dark" in content
    assert 'name="viewport"' in content


def test_names_are_escaped_everywhere(findings):
    content = render_audit_page(findings)
    assert "<b>B</b>" not in content
    assert "&lt;b&gt;B&lt;/b&gt;" in content
    assert "Audit of set &amp; co" in content


def test_the_verdict_comes_first(findings):
    content = render_audit_page(findings)
    assert content.index("The first sentence.") < content.index("<h2>")
    assert 'class="verdict alarm"' in content


def test_a_source_in_two_splits_is_shown_from_both(findings):
    shown = render_audit_page(findings).split("<h3>A (1)</h3>")[1].split("<h2>")[0]
    assert re.findall(r"<figcaption><b>(\w+)</b>", shown) == ["train", "val"]


def test_every_class_has_an_average_and_samples(findings):
    shown = render_audit_page(findings).split("<h3>normal</h3>")[1].split("<h2>")[0]
    assert shown.count("<img") == 3
    assert "average" in shown


def test_what_the_verdict_counts_is_named(findings):
    content = render_audit_page(findings)
    assert "<td>B, C</td>" in content.split("<h2>Classes from few series</h2>")[1].split("<h2>")[0]
    assert "<p>A (1)</p>" in content.split("<h2>Sources with more than one class</h2>")[1].split("<h2>")[0]


def test_empty_sections_are_left_out(findings):
    content = render_audit_page(replace(findings, straddling=(), properties=(), unreadable=()))
    assert "In two splits" not in content
    assert "Properties" not in content
    assert "could not be read" not in content


def test_writing_leaves_only_the_page(findings, tmp_path):
    path = write_audit_page(findings, tmp_path / "audit.html")
    assert path.read_text(encoding="utf-8") == render_audit_page(findings)
    assert list(tmp_path.iterdir()) == [path]


def test_names_with_lone_surrogates_can_be_written(findings, tmp_path):
    path = write_audit_page(replace(findings, name="x\udcff"), tmp_path / "audit.html")
    assert "Audit of x?" in path.read_text(encoding="utf-8")


def test_tags_are_balanced_and_alarms_are_named(findings):
    opened: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "img"):
                opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    content = render_audit_page(findings)
    Checker().feed(content)
    assert opened == []
    assert "<td>above chance</td>" in content.split("<h2>Shortcut baseline</h2>")[1].split("<h2>")[0]
