"""Read the source slice and the series off file names."""

from __future__ import annotations

import re

# "CSFDV1B10 (18)-sharpened-rotated3.png" is variant "sharpened-rotated3" of slice 18 of series CSFDV1B10.
COPY_PATTERN = r"^(?P<source>(?P<series>.+?) ?\((?P<slice>\d+)\))(?:-(?:sharpened|rotated)\d*)*$"


def compile_source_pattern(pattern: str | None) -> re.Pattern[str]:
    """Compile a pattern for file stems; None gives the naming of the "cervical fracture" set.

    Raises:
        ValueError: If the pattern is no regular expression or has no group named `source`.
    """
    try:
        compiled = re.compile(pattern or COPY_PATTERN)
    except re.error as error:
        raise ValueError(f"source_pattern {pattern!r} is no regular expression: {error}.") from error
    if "source" not in compiled.groupindex:
        raise ValueError(f"source_pattern {pattern!r} needs a group (?P<source>...); (?P<series>...) is optional.")
    return compiled


def parse_name(stem: str, pattern: re.Pattern[str]) -> tuple[str, str | None]:
    """Return source and series of a file name without its suffix; a name that does not fit is a source of its own.

    Example:
        >>> parse_name("CSFDV1B10 (18)-sharpened-rotated3", compile_source_pattern(None))
        ('CSFDV1B10 (18)', 'CSFDV1B10')
    """
    match = pattern.search(stem)
    if not match or not match["source"]:
        return stem, None
    return match["source"], match.groupdict().get("series")
