"""Compare the pixels of DICOM test files with those of pydicom, and write docs/conformance.md.

    python benchmarks/dicom_conformance.py ../shared/data/dicom_conformance

Every frame of every file is decoded by the reader of spinealign, before rescale and window, and by `pydicom.pixels`.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels import pixel_array

from spinealign import read_slice
from spinealign.errors import ImageError, UnsupportedFormatError
from spinealign.imaging.muting import muted
from spinealign.reading.dicom import decode_frame, frame_count, open_dicom
from spinealign.reading.kinds import DICOM, DICOMDIR, NO_DICOM_IMAGE, kind_of
from spinealign.reading.request import Request

PAGE = Path(__file__).parent.parent / "docs" / "conformance.md"
EQUAL, DIFFERENT, REFUSED_BY_BOTH, REFUSED = "equal", "different", "refused by both", "refused here only"
NO_IMAGE = "no image"


@dataclass(frozen=True)
class Outcome:
    """Outcome of one file: one of the constants above, with its transfer syntax and number of frames."""

    name: str
    syntax: str
    frames: int
    outcome: str


def compare(path: Path, name: str) -> Outcome:
    """Compare all frames of a file; any exception but `ImageError` is raised."""
    content = path.read_bytes()
    request = Request("file", frame=0)
    with suppress(ImageError):
        read_slice(content, frame=0)
    try:
        with open_dicom(content, request) as dataset:
            syntax = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
            known = syntax.name if syntax is not None else "not stated"
            count = frame_count(dataset)
    except UnsupportedFormatError:
        return Outcome(name, "", 0, NO_IMAGE)
    except ImageError:
        return Outcome(name, "not readable", 0, REFUSED_BY_BOTH if _reference(content, 0) is None else REFUSED)
    found = set()
    for index in range(count):
        reference = _reference(content, index)
        try:
            with open_dicom(content, request) as dataset:
                pixels = decode_frame(dataset, replace(request, frame=index))
            found.add(EQUAL if reference is not None and np.array_equal(pixels, reference) else DIFFERENT)
        except ImageError:
            found.add(REFUSED_BY_BOTH if reference is None else REFUSED)
    return Outcome(name, known, count, found.pop() if len(found) == 1 else DIFFERENT)


def _reference(content: bytes, index: int) -> np.ndarray | None:
    try:
        with muted():
            return pixel_array(pydicom.dcmread(BytesIO(content), force=True), index=index)
    except Exception:
        return None


def compare_all(folder: Path) -> list[Outcome]:
    """Compare the DICOM files of a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    kinds = (DICOM, DICOMDIR, NO_DICOM_IMAGE)
    return [compare(path, path.relative_to(folder).as_posix()) for path in paths if kind_of(path.read_bytes()) in kinds]


def page(outcomes: Sequence[Outcome]) -> str:
    """Return docs/conformance.md."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for item in outcomes:
        if item.outcome != NO_IMAGE:
            table[item.syntax][item.outcome] += 1
            table[item.syntax]["frames"] += item.frames
    columns = ("frames", EQUAL, DIFFERENT, REFUSED_BY_BOTH, REFUSED)
    images = [item for item in outcomes if item.outcome != NO_IMAGE]
    counts = Counter(item.outcome for item in outcomes)
    rows = [
        f"| {syntax} | {sum(row[name] for name in columns[1:])} | {' | '.join(str(row[name]) for name in columns)} |"
        for syntax, row in sorted(table.items())
    ]
    refused = [f"- `{item.name}` ({item.syntax})" for item in images if item.outcome == REFUSED_BY_BOTH]
    return "\n".join(
        [
            "# DICOM conformance",
            "",
            "<!-- Written by benchmarks/dicom_conformance.py (make conformance). -->",
            "",
            f"{len(outcomes)} test files of pydicom, pydicom-data, highdicom, torchio and torchxrayvision, among them "
            f"{counts[NO_IMAGE]} without an image. Every frame of the other {len(images)} was decoded by spinealign, "
            "before rescale and window, and by `pydicom.pixels` with the decoders that spinealign installs (Pillow, "
            "GDCM, and RLE of pydicom). No file ended in an error that is not an `ImageError`.",
            "",
            "| transfer syntax | files | frames | equal | different | refused by both | refused here only |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            "Refused by both, because they are damaged or need a decoder that is not installed, such as one for "
            "High-Throughput JPEG 2000 or JPEG of 12 bits:",
            "",
            *refused,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the test files")
    PAGE.write_text(page(compare_all(parser.parse_args().folder)), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
