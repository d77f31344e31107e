"""Reader of DICOM series: files or frames to the longest consistent stack of slices."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spinealign.errors import ImageError, UnsupportedFormatError
from spinealign.imaging.volume import Volume
from spinealign.reading.dicom import Frame, decode_frame, frame_count, hounsfield, open_dicom, read_frame, typed_errors
from spinealign.reading.header import FrameHeader
from spinealign.reading.request import Request

if TYPE_CHECKING:
    from pydicom import Dataset

_REPETITIONS = (
    "TemporalPositionIndex", "TemporalPositionIdentifier", "EchoNumbers", "EchoTime", "DiffusionBValue", "TriggerTime",
    "AcquisitionNumber",
)  # fmt: skip
_DECIMALS = 2  # of positions in mm that count as one
_GAP = 0.1  # steps that differ by more than this share of the usual step are gaps
# Words that are passed on from free text, which may contain a name.
_WORDS = re.compile(r"T1W?|T2W?|PDW?|STIR|FLAIR|DIXON|TIRM|TSE|FSE|GRE|SPACE|MPRAGE|DWI|VIBE|HASTE|FS|SAG|TRA|AX|COR")


Loader: TypeAlias = "Callable[[], bytes | Dataset]"


class Group(NamedTuple):
    """What the frames of one stack have in common."""

    series: str
    orientation: tuple[float, ...] | None
    size: tuple[int, int]
    spacing_mm: tuple[float, float] | None
    gray: bool
    localizer: bool


@dataclass(frozen=True)
class Place:
    """A frame with its place in a stack.

    Attributes:
        file: Index of the file.
        frame: Index of the frame in the file.
        number: Instance number, or index of the frame.
        group: What it has in common with the others.
        position: Center of the first pixel in mm; None if position or orientation is unknown.
        repetitions: Numbers of `_REPETITIONS`.
    """

    file: int
    frame: int
    number: int
    group: Group
    position: tuple[float, ...] | None
    repetitions: tuple[float | None, ...]

    @property
    def along(self) -> float:
        """Position along the normal of the slice in mm, or the number if the position is unknown."""
        if self.position is None or self.group.orientation is None:
            return self.number
        row, column = np.reshape(self.group.orientation, (2, 3))
        return round(float(np.cross(row, column) @ self.position), _DECIMALS)


def read_series(contents: Sequence[Loader], request: Request) -> Volume:
    """Read the longest consistent stack of DICOM files, sorted by position along the normal of its slices.

    Raises:
        ImageError: If no file can be read, with the reason for the first, or if the volume exceeds a limit.
        UnsupportedFormatError: If there are no two parallel gray slices.
    """
    places: list[Place] = []
    errors: list[ImageError] = []
    for index, content in enumerate(contents):
        try:
            with _opened(content, request) as dataset:
                places += _places(dataset, index, request)
        except ImageError as error:
            errors.append(error)
    if errors and not places:
        raise errors[0]
    problems = [str(error) for error in errors]
    frames: dict[Place, Frame] = {}
    while True:
        chosen, left_out = longest_stack(places)
        if len(chosen) < 2:
            reason = problems[0] if problems else _listed(left_out) or "it has one image"
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


def longest_stack(places: Sequence[Place]) -> tuple[list[Place], Counter[str]]:
    """Return the longest run of equally spaced frames that belong together, and the number of others by reason."""
    groups: dict[Group, list[Place]] = defaultdict(list)
    for place in places:
        groups[place.group].append(place)
    usable = [group for group in groups if group.gray]
    usable = [group for group in usable if not group.localizer] or usable
    chosen = max((run for group in usable for run in _runs(groups[group])), key=len, default=[])
    taken = {place.along for place in chosen}
    kept = set(chosen)
    return chosen, Counter(
        _reason(place, chosen[0].group if chosen else None, taken) for place in places if place not in kept
    )


def _reason(place: Place, best: Group | None, taken: set[float]) -> str:
    """Return why a frame is not in the stack."""
    if not place.group.gray:
        return "in color"
    if best is None or place.group.localizer:
        return "localizer"
    if place.group == best:
        return "at the position of another (duplicate or other time point)" if place.along in taken else "beyond a gap"
    if place.group.series != best.series:
        return "of another series"
    return "of another orientation" if place.group.orientation != best.orientation else "of another size or spacing"


def _runs(places: Sequence[Place]) -> list[list[Place]]:
    """Return runs of equally spaced frames without repeated positions: of one time point, if there are several."""
    selections = []
    if len({place.along for place in places}) < len(places):
        for index in range(len(_REPETITIONS)):
            values = {place.repetitions[index] for place in places}
            if len(values) > 1:
                selections += [[place for place in places if place.repetitions[index] == value] for value in values]
    selections.sort(key=lambda selection: min(place.number for place in selection))
    runs: list[list[Place]] = []
    for selection in (*selections, places):
        first: dict[float, Place] = {}
        for place in sorted(selection, key=lambda place: (place.number, place.file, place.frame)):
            first.setdefault(place.along, place)
        runs += _without_gaps([first[along] for along in sorted(first)])
    return runs


def _without_gaps(places: list[Place]) -> list[list[Place]]:
    if len(places) < 3 or places[0].position is None:
        return [places]
    steps = np.diff([place.position for place in places if place.position is not None], axis=0)
    usual = np.median(steps, axis=0)
    wrong = np.linalg.norm(steps - usual, axis=1) > _GAP * np.linalg.norm(usual) + 10.0**-_DECIMALS
    ends = [0, *(np.flatnonzero(wrong) + 1), len(places)]
    return [places[start:end] for start, end in pairwise(ends)]


@contextmanager
def _opened(load: Loader, request: Request) -> Iterator[Dataset]:
    content = load()
    if isinstance(content, bytes):
        with open_dicom(content, request) as dataset:
            yield dataset
    else:
        with typed_errors(request):
            yield content


def _places(dataset: Dataset, file: int, request: Request) -> list[Place]:
    count = frame_count(dataset)
    request.check_volume((count, 1, 1))
    size = int(dataset.Rows), int(dataset.Columns)
    places = []
    for frame in range(count):
        header = FrameHeader(dataset, frame)
        orientation, position, spacing = header.orientation, header.position_mm, header.spacing_mm
        group = Group(
            header.text("SeriesInstanceUID"),
            orientation and tuple(round(value, 2) + 0.0 for value in orientation),
            size,
            spacing and (round(spacing[0], 3), round(spacing[1], 3)),
            header.text("PhotometricInterpretation").startswith("MONOCHROME"),
            "LOCALIZER" in (value.upper() for value in header.texts("ImageType")),
        )
        number = header.number("InstanceNumber") if count == 1 else None
        known = position if orientation else None
        repetitions = tuple(header.number(name) for name in _REPETITIONS)
        places.append(Place(file, frame, frame if number is None else int(number), group, known, repetitions))
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
        with _opened(contents[file], request) as dataset:
            for place in members:
                one = replace(request, frame=place.frame)
                try:
                    with typed_errors(one):
                        frames[place] = read_frame(dataset, decode_frame(dataset, one), frame=place.frame)
                except ImageError as error:
                    bad[place] = str(error)
    return bad


def _volume(places: Sequence[Place], frames: Sequence[Frame], request: Request, left_out: Counter[str]) -> Volume:
    header = frames[0].header
    affine, notes = _affine(places, header)
    notes += header.notes
    if out := _listed(left_out):
        notes.insert(0, f"{left_out.total()} of {left_out.total() + len(places)} images were left out: {out}.")
    is_ct = all(frame.hounsfield for frame in frames)
    black, white = (float(np.median([ends[side] for ends in (frame.window for frame in frames)])) for side in (0, 1))
    if header.text("PhotometricInterpretation") == "MONOCHROME1":
        black, white = white, black
    return Volume(
        np.stack([hounsfield(frame) if is_ct else _filled(frame, black) for frame in frames]),
        affine,
        unit="HU" if is_ct else "arbitrary",
        window=(black, white),
        assumed_white=abs(white - black) if not is_ct and all(frame.assumed for frame in frames) else None,
        modality="CT" if is_ct else header.modality,
        description=_description(header),
        instances=tuple(place.number if len(places) > 1 else None for place in places),
        origin=request.origin,
        notes=tuple(dict.fromkeys(notes)),
    )


def _filled(frame: Frame, black: float) -> NDArray[np.float32]:
    return frame.values if frame.padding is None else np.where(frame.padding, np.float32(black), frame.values)


def _affine(places: Sequence[Place], header: FrameHeader) -> tuple[NDArray[np.float64], list[str]]:
    """Return the affine of a stack, and notes on what was assumed."""
    spacing, notes = header.spacing_mm, []
    if spacing is None:
        spacing, notes = (1.0, 1.0), ["The pixel spacing is unknown and was taken as 1 mm."]
    orientation = header.orientation or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    along, down = np.reshape(orientation, (2, 3))
    if places[0].position is None:
        between = header.number("SpacingBetweenSlices") or header.number("SliceThickness") or 1.0
        step, start = np.cross(along, down) * abs(between), np.zeros(3)
        notes.append("Positions are unknown: the slices are in order of their numbers, and taken as axial.")
    else:
        start, end = (np.array(place.position) for place in (places[0], places[-1]))
        step = (end - start) / (len(places) - 1)
        if np.linalg.norm(np.cross(step, np.cross(along, down))) > 0.01 * np.linalg.norm(step):
            notes.append("The slices are sheared, as by a tilted gantry.")
    affine = np.eye(4)
    affine[:3] = np.column_stack([step, down * spacing[0], along * spacing[1], start])
    return affine, notes


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


def _listed(left_out: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in left_out.most_common() if count)
