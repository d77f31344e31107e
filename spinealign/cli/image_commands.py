"""Commands that run a model on images: predict and measure. Their docstrings are the descriptions in the help."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from spinealign.errors import ImageError
from spinealign.writing import new_file


def predict(options: Namespace) -> int:
    """Predict images: files, and all images in folders and in zip and tar archives.

    Print the finding in each image, or one line for each label of the model.
    """
    from spinealign.reporting.heat_maps import HeatMapFolder
    from spinealign.reporting.prediction_text import format_predictions, predictions_csv

    paths = _expand(options.paths)
    predictor = load_predictor(options)
    heat_maps = HeatMapFolder(Path(options.explain)) if options.explain else None

    def keep(item: Any) -> Any:
        if heat_maps:
            heat_maps.save(item)
        return item

    def finish(items: list[Any]) -> None:
        print(predictions_csv(items).rstrip() if options.csv else format_predictions(items))

    found = predictor.predict_many(paths, explain=heat_maps is not None, white=options.white)
    return _show(found, len(paths), as_json=options.json, keep=keep, finish=finish)


def measure(options: Namespace) -> int:
    """Measure the alignment of the spine in frontal x-rays and sagittal MR: files, folders, archives and DICOM series.

    Print the curves of each x-ray, and the lordosis, segments, discs and slips of each MR, with their intervals. An
    image of another kind is not measured, and the reason is printed.
    """
    from spinealign.reading.scans import expand_scans
    from spinealign.reporting.alignment_text import alignments_csv, format_alignments
    from spinealign.reporting.picture_folder import PictureFolder

    _check_measure(options)
    scans, passed = expand_scans(options.paths)
    if passed:
        print(passed, file=sys.stderr)
    overlays = PictureFolder(options.overlay, "overlay.png") if options.overlay else None
    masks = PictureFolder(options.masks, "masks.nii.gz") if options.masks else None

    def keep(item: Any) -> Any:
        if overlays and item.gray is not None:
            item.save_overlay(overlays.path_for(item.source))
        if masks and item.masks is not None:
            item.save_masks(masks.path_for(item.source))
        return replace(item, gray=None, masks=None)  # the images would fill the memory

    def finish(items: list[Any]) -> None:
        if options.csv is None:
            print(format_alignments(items))
            return
        with new_file(options.csv) as staging:
            staging.write_text(alignments_csv(items), encoding="utf-8", errors="backslashreplace", newline="")
        print(f"Wrote {options.csv}", file=sys.stderr)

    return _show(_measured(scans, options), len(scans), as_json=options.json, keep=keep, finish=finish)


def _check_measure(options: Namespace) -> None:
    """Refuse options of `measure` that contradict each other, before a model is loaded."""
    if options.csv is not None and options.csv.is_dir():
        raise IsADirectoryError(f"{options.csv} is a folder; name a file for the CSV.")
    if len(dict(options.anchor)) < len(options.anchor):
        raise ValueError("A level is given twice by --anchor; give one anchor.")
    if options.masks_from:
        names = ("anchor", "lowest", "kind", "masks", "model")
        if ignored := [f"--{name}" for name in names if getattr(options, name)]:
            raise ValueError(f"Masks have their levels and need no model; omit {', '.join(ignored)}.")
    if options.one_study and (options.anchor or options.lowest):
        raise ValueError("Levels given by hand need no comparison of series; omit --one_study.")
    if options.csv is not None:
        options.csv.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(options.csv.parent, os.W_OK):
            raise PermissionError(f"{options.csv.parent} is not writable; name another file for the CSV.")


def _measured(scans: list[Any], options: Namespace) -> Iterable[Any]:
    """Return the alignment of each scan, or its error, by the model or the masks that the options name."""
    from spinealign.alignment.aligner import Aligner, each_or_error
    from spinealign.alignment.routing import Router
    from spinealign.alignment.sagittal.foreign_masks import measure_masks
    from spinealign.reading.scans import name_scan

    @lru_cache
    def load(kind: str | None) -> Aligner:
        return Aligner.from_pretrained(
            options.model, kind=kind, revision=options.revision, engine=options.engine, device=options.device
        )

    if options.masks_from:
        return each_or_error(lambda scan: measure_masks(name_scan(scan), table=options.masks_from), scans)
    router, masks = Router(load, options.kind, routed=options.model is None), options.masks is not None
    if options.one_study:
        return router.measure_study(scans, masks=masks)
    return router.measure_many(scans, lowest=options.lowest, anchor=dict(options.anchor), masks=masks)


def load_predictor(options: Namespace) -> Any:
    """Load the classifier that the options name."""
    from spinealign.inference.predictor import Predictor

    return Predictor.from_pretrained(
        options.model, revision=options.revision, engine=options.engine, device=options.device
    )


def _expand(patterns: list[str]) -> list[str]:
    """Return the images that paths name, and print what is passed over."""
    from spinealign.reading.discovery import expand_paths

    paths, passed = expand_paths(patterns)
    if passed:
        print(passed, file=sys.stderr)
    return paths


def _show(
    items: Iterable[Any],
    count: int,
    *,
    as_json: bool,
    keep: Callable[[Any], Any],
    finish: Callable[[list[Any]], None],
) -> int:
    """Print each result or error as a JSON object, or pass all to `finish`; return the exit status.

    `keep` takes each result and returns what `finish` needs of it. An interrupted run finishes what it has.
    """
    from tqdm import tqdm

    failed, kept = 0, []
    try:
        for item in tqdm(items, total=count, unit="image", leave=False, disable=None, delay=1.0):
            error = isinstance(item, ImageError)
            failed += error
            shown = item if error else keep(item)
            if as_json:
                content = {"error": str(item)} if error else item.to_dict()
                print(json.dumps({"path": item.source, **content}, allow_nan=False), flush=True)
            else:
                kept.append(shown)
    finally:
        if kept:
            finish(kept)
    return 1 if failed else 0
