"""Source slice and series from file names."""

from __future__ import annotations

import re

# "CSFDV1B10 (18)-sharpened-rotated3.png" is variant "sharpened-rotated3" of slice 18 of series CSFDV1B10.
# Only series of this set are recognized: names such as "image (1)" may belong to any file.
COPY_PATTERN = r"^(?P<source>(?P<series>CS[A-Z]+\d+B\d+) ?\((?P<slice>\d+)\))(?:-(?:sharpened|rotated)\d*)*$"


def compile_source_pattern(pattern: str | None) -> re.Pattern[str]:
    """Compile a pattern for file stems; None selects that of the "cervical fracture" set.

    Raises:
        ValueError: If the pattern is not a regular expression or has no group named `source`.
    """
    try:
        compiled = re.compile(pattern or COPY_PATTERN)
    except re.error as error:
        raise ValueError(f"source_pattern {pattern!r} is not a regular expression: {error}.") from error
    if "source" not in compiled.groupindex:
        raise ValueError(f"source_pattern {pattern!r} needs a group (?P<source>...); (?P<series>...) is optional.")
    return compiled


def parse_name(stem: str, pattern: re.Pattern[str], *, otherwise: str) -> tuple[str, str | None]:
    """Return source and series of a file.

    Args:
        stem: File name without suffix.
        pattern: Pattern with a group `source` and, optionally, `series`.
        otherwise: Source of a file whose name does not match; it must be unique.

    Example:
        >>> parse_name("CSFDV1B10 (18)-sharpened-rotated3", compile_source_pattern(None), otherwise="val/1")
        ('CSFDV1B10 (18)', 'CSFDV1B10')
        >>> parse_name("1", compile_source_pattern(None), otherwise="val/1")
        ('val/1', None)
    """
    match = pattern.search(stem)
    if not match or not match["source"]:
        return otherwise, None
    return match["source"], match.groupdict().get("series")
