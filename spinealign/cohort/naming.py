"""What the name of an image, or its row, says: source, series, patient."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from spinealign.cohort.cohort import Sample
from spinealign.errors import CohortError
from spinealign.labels import SINGLE
from spinealign.reading.tally import Tally, counted

# "CSFDV1B10 (18)-sharpened-rotated3.png" is variant "sharpened-rotated3" of slice 18 of series CSFDV1B10.
# Only series of this set are recognized: names such as "image (1)" may belong to any file.
COPY_PATTERN = r"^(?P<source>(?P<series>CS[A-Z]+\d+B\d+) ?\((?P<slice>\d+)\))(?:-(?:sharpened|rotated)\d*)*$"


def source_pattern_of(text: str | None) -> re.Pattern[str]:
    """Return the pattern of an option `source_pattern`.

    Raises:
        ValueError: If it is not a regular expression with a group `source`.
    """
    pattern = _compiled("source_pattern", text or COPY_PATTERN)
    if "source" not in pattern.groupindex:
        raise ValueError(f"source_pattern {text!r} needs a group (?P<source>...); (?P<series>...) is optional.")
    return pattern


def _compiled(option: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"{option} {text!r} is not a regular expression: {error}.") from error


def patients_of(names: Sequence[str], pattern: str | None) -> tuple[list[str | None], list[str]]:
    """Return the patient that a pattern finds in each relative path, and remarks.

    Raises:
        CohortError: If the pattern matches none.
        ValueError: If it is not a regular expression.
    """
    if not pattern:
        return [None] * len(names), []
    compiled = _compiled("patient_pattern", pattern)
    group: str | int = "patient" if "patient" in compiled.groupindex else min(compiled.groups, 1)
    found = [match[group] if (match := compiled.search(name)) else None for name in names]
    missing = [name for name, patient in zip(names, found) if not patient]
    if names and len(missing) == len(names):
        raise CohortError(f"The patient_pattern matches none of {len(names):,} paths, such as {names[0]}; check it.")
    lines = [f"patient_pattern does not match {counted(len(missing), 'path')} ({missing[0]})"] if missing else []
    return [patient or None for patient in found], lines


def make_sample(
    image: str | bytes,
    name: str,
    *,
    pattern: re.Pattern[str],
    known: Mapping[str, Any],
    labels: Mapping[str, str | None] | None = None,
    file: str | None = None,
) -> Sample:
    """Return a sample; `known` has its fields, and `file` is the name of its file if `name` is not.

    Labels that were requested by name replace its label.
    """
    labels = labels or {}
    label = known.get(SINGLE) if not labels else next(iter(labels.values())) if len(labels) == 1 else None
    plain = PurePosixPath(name if file is None else file).with_suffix("")
    match = pattern.search(plain.name) or pattern.search(str(plain))
    named = match.groupdict() if match and match["source"] else {}
    return Sample(
        image,
        label,
        known.get("source") or named.get("source") or name,
        known.get("series") or named.get("series"),
        known.get("split"),
        name,
        known.get("size_mm"),
        known.get("patient") or None,
        level=known.get("level") or None,
        labels=labels,
    )


def number_of(text: str | None, where: str, *, wrong: Tally) -> float | None:
    """Return a size, or None for a missing one and for other text, which is counted in `wrong`."""
    try:
        number = float((text or "nan").replace(",", "."))
    except ValueError:
        number = math.nan
    if text and not math.isfinite(number):
        wrong.add("size without a number", f"{where}: {text}")
    return number if math.isfinite(number) else None
