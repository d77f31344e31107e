"""Layouts of labeled folders and archives: which part of a relative path is the split, the class and the patient."""

from __future__ import annotations

import difflib
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from spinealign.cohort.manifest import SPLIT_NAMES
from spinealign.errors import CohortError
from spinealign.labels import POSITIVE_NAMES
from spinealign.reading.discovery import FoundFile, Listing, list_images
from spinealign.reading.tally import Tally, counted

_CLASS_NAMES = frozenset({"normal", "negative", "0", "no", *POSITIVE_NAMES})
_NOT_PATIENTS = frozenset(
    {"image", "images", "img", "imgs", "png", "jpg", "jpeg", "dicom", "dcm", "data", "raw", "original", "originals",
     "augmented", "augmentation", "rotated", "sharpened", "processed", "cropped", "axial", "sagittal", "coronal", "ct",
     "mr", "mri", "xray", "ap", "pa", "lateral", "left", "right", *SPLIT_NAMES}
)  # fmt: skip
_MASK = re.compile(r"[ _-](mask|seg|segmentation)([ _-]?\d+)?\.\w+$", re.IGNORECASE)
ARCHIVE_SUFFIX = re.compile(r"\.(zip|tar|tgz|tar\.gz)$", re.IGNORECASE)


@dataclass(frozen=True)
class PlacedFile:
    """An image with what its folders say: split, class, and the folders between class and file."""

    file: FoundFile
    split: str | None
    label: str
    below: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """Images of labeled folders.

    Attributes:
        files: The images in class folders.
        notes: What was passed over, and how the folders were understood.
    """

    files: tuple[PlacedFile, ...]
    notes: tuple[str, ...]

    @property
    def patients(self) -> tuple[str, ...]:
        """Patient of each file: the folder below its class. Empty if these folders do not look like patients."""
        names = [placed.below[0] if placed.below else "" for placed in self.files]
        distinct = {name.casefold() for name in names}
        return () if "" in distinct or len(distinct) < 2 or distinct & _NOT_PATIENTS else tuple(names)


def read_layout(listing: Listing, root: str) -> Layout:
    """Find split and class of each image below a folder or in an archive.

    The layouts are `{split}/{class}/`, `{class}/{split}/` and `{class}/`, with any folders below, and
    `{patient}/{class}/` and `{split}/{patient}/{class}/` for common names of classes. A single folder around them, as
    in the archives of Kaggle, is entered. A class of a held-out split that `train` lacks is ignored, and so are masks
    beside their images.

    Args:
        listing: The files, as `list_images` returns them.
        root: Path of the folder or archive, for messages.

    Raises:
        CohortError: If there are no class folders, or a class folder has no images.
    """
    notes = [listing.note] if listing.note else []
    images, masks = _without_masks(listing.images)
    if masks.total():
        notes.append(f"{masks.total():,} of {len(listing.images):,} images passed over: {masks}")
    parts = [(file, tuple(ARCHIVE_SUFFIX.sub("", part) for part in file.name.split("/")[:-1])) for file in images]
    outer: tuple[str, ...] = ()
    while (top := _around(folders for _, folders in parts)) is not None:
        parts = [(file, folders[1:]) for file, folders in parts if folders]
        outer = (*outer, top)
    if outer:
        notes.append(f"read {'/'.join(outer)}/, the only folder with images")
    by_split = any(folders and folders[0].lower() in SPLIT_NAMES for _, folders in parts)
    placed, loose = _placed(parts, by_split=by_split)
    if loose.total():
        notes.append(f"{loose.total():,} of {len(parts):,} images passed over: {loose}")
    if {item.label.lower() for item in placed} <= _NOT_PATIENTS:  # or there are none
        raise CohortError(
            f"{root} has no class folders with images; expected one folder for each class, or a table that names the "
            "images and their classes." + (f" {notes[0][:1].upper()}{notes[0][1:]}." if notes else "")
        )
    if by_patient := _classes_last(placed):
        placed = by_patient
        notes.append("each last folder is taken as the class")
    expected = [folder for folder in sorted(listing.folders) if _is_class_folder(folder, outer, by_split=by_split)]
    notes += _without_images(root, expected, placed)
    kept, ignored = _in_train(placed)
    return Layout(tuple(kept), (*notes, *ignored))


def _around(paths: Iterable[tuple[str, ...]]) -> str | None:
    """Return the only folder with images if it is not a class or a split, but a folder around these."""
    inside = [folders for folders in paths if folders]
    tops = {folders[0] for folders in inside}
    if len(tops) != 1:
        return None
    (top,) = tops
    flat = any(len(folders) == 1 for folders in inside)
    splits = any(folders[1].lower() in SPLIT_NAMES for folders in inside if len(folders) == 2)  # of one class
    return None if flat or splits or top.lower() in SPLIT_NAMES.keys() | _CLASS_NAMES else top


def _placed(parts: list[tuple[FoundFile, tuple[str, ...]]], *, by_split: bool) -> tuple[list[PlacedFile], Tally]:
    """Return the images in class folders, and a count of the others."""
    tops = {folders[0] for _, folders in parts if folders}
    seconds = {folders[1].lower() if len(folders) > 1 else "" for _, folders in parts if folders}
    split_below = not by_split and len(tops) > 1 and seconds <= SPLIT_NAMES.keys()
    placed, loose = [], Tally()
    for file, folders in parts:
        named = [folder.strip().lower() for folder in folders]
        if by_split and named and named[0] not in SPLIT_NAMES:
            loose.add("image outside the split folders", file.name)
        elif len(named) < (2 if by_split or split_below else 1) or named[int(by_split)].startswith("_"):
            loose.add("image outside the class folders", file.name)
        elif by_split:
            placed.append(PlacedFile(file, SPLIT_NAMES[named[0]], folders[1].strip(), folders[2:]))
        elif split_below:
            placed.append(PlacedFile(file, SPLIT_NAMES[named[1]], folders[0].strip(), folders[2:]))
        else:
            placed.append(PlacedFile(file, None, folders[0].strip(), folders[1:]))
    return placed, loose


def _classes_last(placed: list[PlacedFile]) -> list[PlacedFile]:
    """Return the images of the layout `{patient}/{class}/`, with folders between them; empty for other layouts."""
    patients = {item.label.lower() for item in placed}
    classes = {item.below[-1].lower() if item.below else "" for item in placed}
    if not 1 < len(classes) < len(patients) or not classes <= _CLASS_NAMES or patients & (_CLASS_NAMES | _NOT_PATIENTS):
        return []
    return [replace(item, label=item.below[-1].strip(), below=(item.label, *item.below[:-1])) for item in placed]


def _without_masks(images: list[FoundFile]) -> tuple[list[FoundFile], Tally]:
    """Return the images that are not a mask of another one beside it, such as `1_mask.png` of `1.png`."""
    stems = {file.name.rsplit(".", 1)[0] for file in images}
    kept, masks = [], Tally()
    for file in images:
        image = _MASK.sub("", file.name)
        if image != file.name and image in stems:
            masks.add("mask of an image beside it", file.name)
        else:
            kept.append(file)
    return kept, masks


def _is_class_folder(folder: str, outer: tuple[str, ...], *, by_split: bool) -> bool:
    *above, name = folder.split("/")
    if by_split and (not above or above.pop().lower() not in SPLIT_NAMES):
        return False
    return tuple(above) == outer and not name.startswith("_")


def _without_images(root: str, folders: list[str], placed: list[PlacedFile]) -> list[str]:
    """Return remarks on class folders without images.

    Raises:
        CohortError: If such a folder has the name of a class, or there are no two classes without it.
    """
    classes, notes = {item.label.lower() for item in placed}, []
    for folder in folders:
        if any(item.file.name.startswith(f"{folder}/") for item in placed):
            continue
        path = f"{root}/{folder}"
        passed = str(list_images(path).passed) if os.path.isdir(path) else ""
        seen = f"it contains {passed}" if passed else "it is empty"
        if folder.rsplit("/", 1)[-1].lower() in classes or len(classes) < 2:
            raise CohortError(f"The class folder {path} contains no images: {seen}. Add some or remove it.")
        notes.append(f"{folder}/ contains no images: {seen}")
    return notes


def _in_train(placed: list[PlacedFile]) -> tuple[list[PlacedFile], list[str]]:
    """Leave out classes of held-out splits that `train` lacks, unless they look like a misspelled class of it."""
    train = {item.label.lower() for item in placed if item.split == "train"}
    extra: dict[tuple[str, str], int] = defaultdict(int)
    for item in placed:
        label = item.label.lower()
        if len(train) > 1 and label not in train and not difflib.get_close_matches(label, train, n=1):
            extra[str(item.split), item.label] += 1
    kept = [item for item in placed if (str(item.split), item.label) not in extra]
    return kept, [
        f"{split}/{label} ignored, because train has no such class ({counted(count, 'image')})"
        for (split, label), count in extra.items()
    ]
