"""Rendering of the images of a cohort, into Arrow files or into memory."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from spinealign._version import __version__
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.file_properties import PROPERTIES, measure_file
from spinealign.cohort.image_cache import Use, WorkFolder, fingerprint
from spinealign.cohort.image_store import Images, StoredImages, open_rows, write_rows
from spinealign.cohort.training_images import pixel_digest
from spinealign.config import PreprocessingConfig
from spinealign.errors import CohortError, ImageError
from spinealign.imaging.preprocessing import render, resize
from spinealign.privacy.pseudonyms import read_identity
from spinealign.reading.slices import read_slice

STANDARD = PreprocessingConfig()  # for the duplicate search and the audit, with any network
_READ_AHEAD = 64  # images
VALUES = {
    **dict.fromkeys(PROPERTIES, "float64"),
    "patient": "string", "series": "string", "digest": "string", "modality": "string", "notes": "string",
    "error": "string",
}  # fmt: skip


def render_cohort(
    cohort: Cohort, config: PreprocessingConfig, *, progress: bool, folder: Path | None
) -> tuple[Mapping[str, list[Any]], dict[str, Images]]:
    """Read and render every image once.

    Returns:
        A value of each of `VALUES` for each sample, and the images that could be read, in their order: `gray` for the
        network and, unless they are the same, `standard`. They are in Arrow files below `folder`, or below a temporary
        folder; in memory without the package datasets.

    Raises:
        CohortError: If the disk is too small.
    """
    rendering = _Rendering(cohort, config, progress)
    return _in_memory(rendering) if find_spec("datasets") is None else _stored(rendering, folder)


def _unnormalized(config: PreprocessingConfig) -> PreprocessingConfig:
    """Return the settings with the standard normalization, which follows rendering and resizing."""
    return replace(config, image_mean=STANDARD.image_mean, image_std=STANDARD.image_std)


@dataclass(frozen=True)
class _Rendering:
    """Images of a cohort to be read and rendered; its rows are those of the Arrow files."""

    cohort: Cohort
    config: PreprocessingConfig
    progress: bool

    @property
    def sides(self) -> dict[str, int]:
        """Side of each image in pixels, by the name of its column."""
        sides = {"gray": self.config.image_size}
        alike = _unnormalized(self.config) == STANDARD
        return sides if alike else {**sides, "standard": STANDARD.image_size}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one row for each sample, in their order; all values of an unreadable image are None but the error."""
        salt = secrets.token_bytes(32)

        def read(sample: Sample) -> dict[str, Any]:
            try:
                return self._row(sample.read(), salt)
            except ImageError as error:
                return {**dict.fromkeys([*self.sides, *VALUES]), "error": str(error)}

        with (
            ThreadPoolExecutor(os.cpu_count()) as pool,
            tqdm(
                desc=f"reading {self.cohort.name}",
                total=len(self.cohort),
                unit="image",
                disable=None if self.progress else True,
            ) as bar,
        ):
            pending: deque[Future[dict[str, Any]]] = deque()
            for sample in self.cohort:
                pending.append(pool.submit(read, sample))
                if len(pending) > _READ_AHEAD:
                    yield pending.popleft().result()
                    bar.update()
            while pending:
                yield pending.popleft().result()
                bar.update()

    def _row(self, content: bytes, salt: bytes) -> dict[str, Any]:
        image = read_slice(content)
        rendered = render(image, STANDARD)
        images = {"standard": resize(rendered, STANDARD)}
        alike = "standard" not in self.sides
        images["gray"] = images["standard"] if alike else resize(render(image, self.config), self.config)
        return {
            **{name: images[name].tobytes() for name in self.sides},
            **dict(zip(PROPERTIES, map(float, measure_file(content, rendered)))),
            **read_identity(content, salt)._asdict(),
            "digest": f"{pixel_digest(image):x}",  # `datasets` takes no integer above 2**63
            "modality": image.modality,
            "notes": "\n".join(image.notes),
            "error": None,
        }


def _in_memory(rendering: _Rendering) -> tuple[Mapping[str, list[Any]], dict[str, Images]]:
    """Return values and images as `render_cohort`."""
    rows = list(rendering.rows())
    images: dict[str, Images] = {
        name: np.array([np.frombuffer(row[name], np.uint8) for row in rows if row[name]]).reshape(-1, side, side)
        for name, side in rendering.sides.items()
    }
    return {name: [row[name] for row in rows] for name in VALUES}, images


def _stored(rendering: _Rendering, folder: Path | None) -> tuple[Mapping[str, list[Any]], dict[str, Images]]:
    """Return the same as `_in_memory`, with images in Arrow files below `folder` or below a temporary folder."""
    sides, cohort = rendering.sides, rendering.cohort

    def write(target: Path) -> None:
        size, free = len(cohort) * sum(side**2 for side in sides.values()), shutil.disk_usage(target).free
        if size > free:
            raise CohortError(
                f"{cohort.name}: {size / 1e9:.1f} GB are needed in {target.parent} for {len(cohort):,} rendered "
                f"images, and {free / 1e9:.1f} GB are free. Set TMPDIR or cache_dir to a folder on a larger disk."
            )
        write_rows(rendering.rows, target, columns={**dict.fromkeys(sides, "binary"), **VALUES})

    settings = json.dumps([__version__, asdict(_unnormalized(rendering.config)), list(VALUES)])
    owner: WorkFolder | Use
    if folder is None:
        owner = WorkFolder()
        write(owner.path)
    else:
        owner = Use(folder, fingerprint(settings, (sample.image for sample in cohort)), write)
    values = open_rows(owner.path).select_columns(list(VALUES))[:]
    readable = np.flatnonzero([error is None for error in values["error"]])
    return values, {
        name: StoredImages(owner.path, name, side=side, rows=readable, owner=owner) for name, side in sides.items()
    }
