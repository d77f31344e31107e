from __future__ import annotations

from dataclasses import replace

from spinealign.cohort.audit.findings import Straddling
from spinealign.reporting.audit_text import format_audit


def test_the_verdict_comes_before_all_findings(findings):
    text = format_audit(findings)
    assert text.splitlines()[:2] == ["Audit of set & co", "  - The first sentence."]
    for words in (
        "Patients: not known",
        "97.75%",
        "81.0% to 99.0%",
        "not possible: a class",
        "similarity",
        "bad.png",
    ):
        assert words in text


def test_findings_that_the_verdict_counts_are_listed(findings):
    lines = format_audit(findings).splitlines()
    assert lines[lines.index("Classes from few series") + 1] == "  normal: B, C"
    assert lines[lines.index("Sources with more than one class") + 1] == "  A (1)"


def test_columns_are_aligned_and_lines_are_short(findings):
    lines = format_audit(findings).splitlines()
    head = next(place for place, line in enumerate(lines) if line.startswith("  split"))
    ends = {line.rindex(number) + len(number) for line, number in zip(lines[head + 1 :], ("1.0", "1.0", "2.7"))}
    assert ends == {len(lines[head])}
    assert max(map(len, lines)) <= 110


def test_long_lists_are_shortened(findings):
    many = tuple(Straddling("source", f"s{number}", {"train": 1, "val": 1}) for number in range(30))
    text = format_audit(replace(findings, straddling=many))
    assert "... and 20 more" in text
    assert "s25" not in text
