"""Text of an audit of films for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from spinealign.cohort.landmarks.auditing import FilmPair, LandmarkAudit
from spinealign.reading.tally import counted
from spinealign.reporting.tables import Table

_OUTCOMES = ("ok", "repaired", "masked", "flagged", "dropped")
_TITLES = {
    "same": "Films of the same radiograph",
    "named": "Films with the same name except for its date, which may show the same radiograph",
    "alike": "Films of other numbers that may show the same patient",
}


def format_landmark_audit(audit: LandmarkAudit) -> str:
    """Return an audit of films as text, conclusions first."""
    sections = [
        (f"Audit of {audit.name}: films with the corners of vertebrae", _conclusions(audit)),
        ("Labels", _counts(audit).text().splitlines()),
        *(
            (f"{title} ({len(pairs)})", _pairs(pairs).text().splitlines())
            for kind, title in _TITLES.items()
            if (pairs := [pair for pair in audit.pairs if pair.kind == kind])
        ),
        (f"Labels that were repaired or are doubtful ({len(audit.checks)})", _checks(audit).text().splitlines()),
        ("Notes", list(audit.notes)),
    ]
    return "\n\n".join(
        "\n".join([title, *(f"  {line}".rstrip() for line in lines)]) for title, lines in sections if lines
    )


def _conclusions(audit: LandmarkAudit) -> list[str]:
    same = [pair for pair in audit.pairs if pair.kind == "same"]
    straddling = sum(pair.straddles for pair in same)
    pairs, groups = counted(len(same), "pair of films"), counted(audit.groups, "group")
    lines = [
        f"- {pairs} with the same radiograph by their pixels, {straddling} of them in two splits.",
        f"- {groups} by radiograph, patient and number, {audit.divided_groups} of them in test and another split.",
    ]
    if tested := audit.films.get("test", 0):
        lines.append(f"- {audit.clean_test} of {tested} test films are of groups that no other split shows.")
    return lines


def _counts(audit: LandmarkAudit) -> Table:
    rows = [(split, *(found.get(outcome, 0) for outcome in _OUTCOMES)) for split, found in audit.outcomes.items()]
    return Table(("split", *_OUTCOMES), rows, numbers=range(1, 6))


def _pairs(pairs: Sequence[FilmPair]) -> Table:
    rows = [
        (
            "-" if pair.correlation is None else f"{pair.correlation:.2f}",
            pair.films[0],
            pair.splits[0],
            pair.films[1],
            pair.splits[1],
        )
        for pair in pairs
    ]
    return Table(("correlation", "film", "split", "film", "split"), rows, numbers=(0,))


def _checks(audit: LandmarkAudit) -> Table:
    rows = [(check.outcome, check.split, check.name, "; ".join(check.reasons)) for check in audit.checks]
    return Table(("outcome", "split", "film", "found"), rows)
