"""Reader of DICOM series: files or frames to the longest consistent stack of slices."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from spinealign.errors import ImageError, UnsupportedFormatError
from spinealign.imaging.volume import Volume
from spinealign.reading.dicom import (
    Frame,
    check_frames,
    decode_frame,
    frame_count,
    hounsfield,
    is_hounsfield,
    open_dicom,
    read_frame,
)
from spinealign.reading.header import FrameHeader
from spinealign.reading.request import Request
from spinealign.reading.stacks import Grouping, Place, affine_of, listed, longest_stack

if TYPE_CHECKING:
    from pydicom import Dataset

# Elements by which frames at one position may differ: time, echo, diffusion, kind of image.
_REPETITIONS = (
    "TemporalPositionIndex", "TemporalPositionIdentifier", "TemporalPositionTimeOffset", "EchoNumbers", "EchoTime",
    "EffectiveEchoTime", "DiffusionBValue", "TriggerTime", "NominalCardiacTriggerDelayTime", "AcquisitionNumber",
    "StackID", "ImageType", "FrameType", "ComplexImageComponent",
)  # fmt: skip
# Words that are passed on from free text, which may contain a name.
_WORDS = re.compile(r"T1W?|T2W?|PDW?|STIR|FLAIR|DIXON|TIRM|TSE|FSE|GRE|SPACE|MPRAGE|DWI|VIBE|HASTE|FS|SAG|TRA|AX|COR")


Loader: TypeAlias = "Callable[[], bytes | Dataset]"


def read_series(contents: Sequence[Loader], request: Request) -> Volume:
    """Read the longest consistent stack of DICOM files, sorted by position along the normal of its slices.

    Raises:
        ImageError: If no file can be read, with the reason for the first, or if the volume exceeds a limit.
        UnsupportedFormatError: If there are no two parallel gray slices.
    """
    places: list[Place] = []
    errors: list[ImageError] = []
    grouping = Grouping()
    for index, content in enumerate(contents):
        try:
            with open_dicom(content(), request) as dataset:
                places += _places(dataset, index, request, grouping)
        except ImageError as error:
            errors.append(error)
    if errors and not places:
        raise errors[0]
    problems = [str(error) for error in errors]
    frames: dict[Place, Frame] = {}
    while True:
        chosen, left_out = longest_stack(places)
        if len(chosen) < 2:
            reason = problems[0].rstrip(".") if problems else listed(left_out) or "it has one image"
            raise UnsupportedFormatError(
                f"{request.origin} has no stack of parallel slices ({reason}); use read_slice for a single image."
            )
        request.check_volume((len(chosen), *chosen[0].group.size))
        bad = _decode(chosen, contents, request, frames)
        if not bad:
            break
        problems += bad.values()
        places = [place for place in places if place not in bad]
    left_out["unreadable"] += len(problems)
    return _volume(chosen, [frames[place] for place in chosen], request, left_out)


def _places(dataset: Dataset, file: int, request: Request, grouping: Grouping) -> list[Place]:
    count = frame_count(dataset)
    request.check_volume((count, 1, 1))
    check_frames(dataset, request)
    size = int(dataset.Rows), int(dataset.Columns)
    places = []
    for frame in range(count):
        header = FrameHeader(dataset, frame)
        gray = header.text("PhotometricInterpretation").startswith("MONOCHROME")
        unit = ("HU" if is_hounsfield(dataset, header) else "arbitrary") if gray else None
        localizer = "LOCALIZER" in (value.upper() for value in header.texts("ImageType"))
        series = header.text("SeriesInstanceUID")
        group, position = grouping.group_of(header, size=size, unit=unit, series=series, localizer=localizer)
        number = header.number("InstanceNumber") if count == 1 else frame + 1
        values = (*(tuple(header.texts(name)) for name in _REPETITIONS), *header.texts("DimensionIndexValues"))
        places.append(Place(group, position, file, frame, None if number is None else int(number), values))
    return places


def _decode(
    places: Sequence[Place], contents: Sequence[Loader], request: Request, frames: dict[Place, Frame]
) -> dict[Place, str]:
    """Add the frames of a stack that are not decoded yet, and return a message for each that cannot be."""
    bad: dict[Place, str] = {}
    by_file: dict[int, list[Place]] = defaultdict(list)
    for place in places:
        if place not in frames:
            by_file[place.file].append(place)
    for file, members in by_file.items():
        with open_dicom(contents[file](), request) as dataset:
            for place in members:
                one = replace(request, frame=place.frame)
                try:
                    with one.typed_errors():
                        stored, header = decode_frame(dataset, one), FrameHeader(dataset, place.frame)
                        frames[place] = read_frame(stored, dataset, header=header)
                except ImageError as error:
                    bad[place] = str(error)
    return bad


def _volume(places: Sequence[Place], frames: Sequence[Frame], request: Request, left_out: Counter[str]) -> Volume:
    header = frames[0].header
    step = None if places[0].position else header.number("SpacingBetweenSlices") or header.number("SliceThickness")
    affine, notes = affine_of(places, abs(step or 1.0))
    notes += header.notes
    if out := listed(left_out):
        notes.insert(0, f"{left_out.total()} of {left_out.total() + len(places)} images were left out: {out}.")
    is_ct = places[0].group.unit == "HU"
    black, white = (float(np.median([ends[side] for ends in (frame.window for frame in frames)])) for side in (0, 1))
    if header.text("PhotometricInterpretation") == "MONOCHROME1":
        black, white = white, black
    return Volume(
        np.stack([hounsfield(frame) if is_ct else frame.filled(black) for frame in frames]),
        affine,
        unit="HU" if is_ct else "arbitrary",
        window=(black, white),
        assumed_white=abs(white - black) if not is_ct and all(frame.assumed for frame in frames) else None,
        modality="CT" if is_ct else header.modality,
        description=_description(header),
        instances=tuple(place.instance for place in places),
        origin=request.origin,
        notes=tuple(dict.fromkeys(notes)),
    )


def _description(header: FrameHeader) -> str:
    """Return the kind of sequence: defined terms, and known words of free text."""
    words = [
        word
        for name in ("ProtocolName", "SeriesDescription")
        for word in re.split(r"[\W_]+", " ".join(header.texts(name)).upper())
    ]
    known = [word for word in words if _WORDS.fullmatch(word)]
    terms = [term for term in header.texts("ScanningSequence") if term in ("SE", "IR", "GR", "EP")]
    return " ".join(dict.fromkeys([*terms, *known]))
