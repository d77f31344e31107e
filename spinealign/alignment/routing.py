"""Choice of the model for an image: by its header, or by what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from spinealign.alignment.aligner import Aligner, each_or_error
from spinealign.alignment.kinds import classify_kind
from spinealign.alignment.levels import check_known
from spinealign.alignment.result import Alignment
from spinealign.alignment.sagittal.preparing import display_gray
from spinealign.checkpoint.files import FRONTAL_XRAY, SAGITTAL_MR
from spinealign.errors import ImageError
from spinealign.imaging.slice import Slice
from spinealign.imaging.volume import Volume
from spinealign.reading.scans import ScanSource, name_scan, read_scan

KINDS = (FRONTAL_XRAY, SAGITTAL_MR)
OTHER = "other"
CLEARLY_OTHER = 0.95  # probability of an image that no model measures
_MODALITIES = {"MR": SAGITTAL_MR, "CR": FRONTAL_XRAY, "DX": FRONTAL_XRAY, "RG": FRONTAL_XRAY}
_EXPECTED = "expects a frontal x-ray of the spine or a sagittal MR of the lumbar spine"


@dataclass(frozen=True)
class Router:
    """Measurement of images by the model of their kind.

    Attributes:
        load: Function that returns the model for a kind of images, or the only one for None. It should keep them.
        kind: Kind of all images; None to find it for each.
        routed: Whether the kind of an image decides; if not, the only model measures all images.
    """

    load: Callable[[str | None], Aligner]
    kind: str | None = None
    routed: bool = True

    def __post_init__(self) -> None:
        if self.kind not in (None, *KINDS):
            raise ValueError(f"Unknown kind {self.kind!r}; use {' or '.join(KINDS)}.")

    def measure(
        self,
        source: ScanSource,
        *,
        lowest: str | None = None,
        anchor: Mapping[str, Any] | None = None,
        masks: bool = False,
    ) -> Alignment:
        """Measure one image; see `Aligner.measure`.

        Raises:
            ImageError: If the image cannot be used, or the anchor is not one for an image of its kind.
            ValueError: If no spine can have the given levels.
        """
        options: dict[str, Any] = {"lowest": lowest, "anchor": anchor, "masks": masks}
        if not self.routed or self.kind:
            return self.load(self.kind).measure(source, check_kind=self.kind is None, **options)
        check_known((*(anchor or {}), *([] if lowest is None else [lowest])))
        try:
            image = read_scan(source)
        except ImageError as error:
            error.source = name_scan(source)
            raise
        kind, reasons = find_kind(image)
        if kind == OTHER:
            return not_accepted(image, reasons)
        aligner = self.load(kind)
        try:
            aligner.measurer.check_levels(lowest, anchor or {})
        except ValueError as error:
            raise ImageError(str(error)) from error
        return aligner.measure(image, **options)

    def measure_many(self, sources: Iterable[ScanSource], **options: Any) -> Iterator[Alignment | ImageError]:
        """Measure many images, one after the other, with an `ImageError` in the place of one that cannot be used.

        The options are those of `measure`.

        Raises:
            TypeError: If `sources` is one source.
            ValueError: If no spine can have the given levels.
        """
        if not self.routed or self.kind:
            return self.load(self.kind).measure_many(sources, check_kind=self.kind is None, **options)
        check_known((*(options.get("anchor") or {}), *filter(None, [options.get("lowest")])))
        return each_or_error(partial(self.measure, **options), sources)

    def measure_study(self, sources: Iterable[ScanSource], *, masks: bool = False) -> list[Alignment | ImageError]:
        """Measure series of one examination of one patient, with the levels on which they agree; see `studies.agree`.

        Raises:
            TypeError: If `sources` is one source.
        """

        def found(source: ScanSource) -> tuple[Slice | Volume, Alignment]:
            image = read_scan(source)
            return image, self.measure(image, masks=masks)

        items = list(each_or_error(found, sources))
        results = [item if isinstance(item, ImageError) else item[1] for item in items]
        spines = {
            place: item
            for place, item in enumerate(items)
            if not isinstance(item, ImageError) and item[1].kind == SAGITTAL_MR and item[1].accepted
        }
        if spines:
            from spinealign.alignment.sagittal.studies import agree  # loads SciPy

            measurer = self.load(self.kind or (SAGITTAL_MR if self.routed else None)).measurer
            measure = partial(measurer.measure, masks=masks, check_kind=False)
            for place, alignment in zip(spines, agree(list(spines.values()), measure)):
                results[place] = alignment
        return results


def find_kind(image: Slice | Volume) -> tuple[str, tuple[str, ...]]:
    """Return the kind of an image that can be measured, or `other` with the reasons why it is none.

    The modality of the header decides; `OT` counts as unknown. Volumes without one are taken as MR unless they are in
    Hounsfield units, and images without one are classified.
    """
    if image.unit == "HU" or image.modality == "CT":
        return OTHER, (f"wrong modality: CT ({_EXPECTED})",)
    if image.modality not in (None, "OT"):
        kind = _MODALITIES.get(image.modality)
        return (kind, ()) if kind else (OTHER, (f"wrong modality: {image.modality} ({_EXPECTED})",))
    if isinstance(image, Volume):
        return SAGITTAL_MR, ()
    found = classify_kind(image)
    if found.kind == SAGITTAL_MR:
        return SAGITTAL_MR, ()
    if found.kind != FRONTAL_XRAY and found.probability >= CLEARLY_OTHER:
        return OTHER, (f"{found} ({_EXPECTED}); if it is one, name its kind",)
    return FRONTAL_XRAY, ()  # its model recognizes other images by their vertebrae


def not_accepted(image: Slice | Volume, reasons: tuple[str, ...]) -> Alignment:
    """Return the alignment of an image that no model measures."""
    return Alignment(
        OTHER,
        (),
        (),
        (),
        accepted=False,
        rejection_reasons=reasons,
        source=image.origin,
        notes=image.notes,
        gray=display_gray(image),
    )
