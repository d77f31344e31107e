"""Measurement with a loaded model."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinealign import Aligner, Predictor
from spinealign.alignment.preparing import prepare
from spinealign.errors import CheckpointError
from spinealign.imaging.slice import Slice
from spinealign.phantoms.frontal_spine import draw_frontal_spine


@pytest.fixture(scope="module")
def aligner(untrained_vertebrae: Path) -> Aligner:
    return Aligner.from_pretrained(untrained_vertebrae)


@pytest.fixture(scope="module")
def film() -> Slice:
    return draw_frontal_spine([-15, 20, -10], height=512).slice


def kinds(aligner: Aligner, image: Slice) -> tuple[str, ...]:
    return aligner.measurer.kind_reasons(image, prepare(image))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"modality": "CT", "unit": "HU"}, "wrong modality: CT"),
        ({"modality": None, "unit": "HU"}, "CT in Hounsfield units"),
        ({"modality": "MR"}, "wrong modality: MR"),
        ({"pixels": np.tile(np.linspace(0, 255, 400, dtype=np.float32), (300, 1))}, "too wide for a frontal spine"),
        ({"color": 60.0}, "colored"),
        ({"pixels": np.full((512, 200), 7, np.float32)}, "low information"),
    ],
)
def test_images_of_other_kinds_are_not_measured(aligner: Aligner, film: Slice, change: dict, reason: str) -> None:
    alignment = aligner.measure(replace(film, **change))

    assert not alignment.accepted
    assert any(reason in each for each in alignment.rejection_reasons)
    assert all(item.value is None and item.reason for item in alignment.measures)
    assert alignment.vertebrae == ()


def test_the_width_counts_in_mm(aligner: Aligner, film: Slice) -> None:
    squeezed = replace(film, pixels=film.pixels[::3], spacing_mm=(3.0, 1.0))

    assert not any("too wide" in each for each in kinds(aligner, squeezed))
    assert any("too wide" in each for each in kinds(aligner, replace(squeezed, spacing_mm=None)))


@pytest.mark.parametrize("modality", ["CR", "DX", "OT", None])
def test_x_rays_and_unknown_modalities_are_taken(aligner: Aligner, film: Slice, modality: str | None) -> None:
    assert kinds(aligner, replace(film, modality=modality)) == ()


def test_a_pickled_aligner_measures_the_same(aligner: Aligner, film: Slice) -> None:
    copy = pickle.loads(pickle.dumps(aligner))

    assert copy.measure(film).to_dict() == {**aligner.measure(film).to_dict(), "model": copy.checkpoint.model}


def test_models_of_other_tasks_are_refused(untrained_vertebrae: Path) -> None:
    with pytest.raises(CheckpointError, match=r"Load it with spinealign\.Aligner"):
        Predictor.from_pretrained(untrained_vertebrae)
    with pytest.raises(CheckpointError, match=r"does not find vertebrae\. Load a classifier"):
        Aligner.from_pretrained(Path(__file__).parents[2] / "spinealign" / "assets" / "default")


def test_an_impossible_anchor_is_refused_before_reading(aligner: Aligner) -> None:
    with pytest.raises(ValueError, match="Unknown level 'X1'"):
        aligner.measure("missing.png", anchor={"X1": 1})


class SilentLocator:
    """An engine whose locator finds nothing."""

    name, device = "torch", None

    def __init__(self, aligner: Aligner) -> None:
        self._engine = aligner.engine

    def locate(self, pixel_values: np.ndarray, coarse_values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        maps, scout_maps = self._engine.locate(pixel_values, coarse_values)
        return np.full_like(maps, -20), scout_maps

    def refine(self, crops: np.ndarray, neighbors: np.ndarray) -> np.ndarray:
        return self._engine.refine(crops, neighbors)


def test_the_interval_widens_where_the_locator_finds_nothing(aligner: Aligner, film: Slice) -> None:
    main = Aligner(aligner.checkpoint, SilentLocator(aligner)).measure(film)["cobb_main"]

    rule = aligner.measurer.settings.intervals["cobb_main"]
    assert main.value > 1
    assert main.high - main.value == pytest.approx(rule.base + rule.slope * main.value)
