from __future__ import annotations

import numpy as np
import pytest

from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.duplicates.grouping import join_copies
from spinealign.cohort.loading import LoadedCohort
from spinealign.cohort.splitting import find_leaks, resolve_leakage
from spinealign.config import PreprocessingConfig
from spinealign.errors import LeakageError
from spinealign.imaging.preprocessing import render
from spinealign.phantoms.axial_neck import draw_phantom

DISTINCT = np.arange(64, dtype=np.uint8)[:, None, None].repeat(8, axis=1).repeat(8, axis=2)


def unknown(name: str, split: str | None = "train") -> Sample:
    return Sample(name, "fracture", source=name, split=split, name=name)


def named(source: str, series: str, split: str = "train", copy: int = 0) -> Sample:
    return Sample("", "fracture", source=source, series=series, split=split, name=f"{split}/{source}-{copy}.png")


def joined(samples: list[Sample], groups: list[int]) -> Cohort:
    loaded = LoadedCohort(Cohort("set", tuple(samples)), DISTINCT[: len(samples)], PreprocessingConfig())
    return join_copies(loaded, np.array(groups))


def test_a_copy_in_another_split_is_named_after_both():
    cohort = joined([unknown("val/b7.png", "val"), unknown("train/a1.png"), unknown("train/a2.png")], [0, 0, 2])
    assert [sample.source for sample in cohort] == ["train/a1.png = val/b7.png"] * 2 + ["train/a2.png"]
    assert find_leaks(cohort) == [("train/a1.png = val/b7.png", ("train", "val"))]
    with pytest.raises(LeakageError, match=r"train/a1\.png = val/b7\.png in train and val"):
        resolve_leakage(cohort, "error")
    assert "2 images of 2 sources are counted as copies of 1 slice because" in cohort.skipped[-1]


def test_copies_within_one_split_take_the_first_name():
    cohort = joined([unknown("a.png"), unknown("b.png"), unknown("c.png")], [0, 0, 0])
    assert set(cohort.sources) == {"a.png"}


def test_names_of_one_series_overrule_similarity():
    samples = [named("A (1)", "A"), named("A (2)", "A", "val")]
    assert joined(samples, [0, 0]).samples == tuple(samples)


def test_a_copy_named_as_another_series_is_joined():
    cohort = joined([named("A (1)", "A"), named("B (5)", "B", "val")], [0, 0])
    assert cohort.sources == ("A (1) = B (5)",)


def test_an_unnamed_copy_joins_its_most_frequent_match():
    samples = [named("A (1)", "A"), *(named("A (2)", "A", copy=copy) for copy in range(2)), unknown("val/x.png", "val")]
    assert joined(samples, [0, 0, 0, 0]).sources == ("A (1)", "A (2) = val/x.png")


def test_similarity_and_names_join_transitively():
    samples = [named("A (1)", "A", copy=0), named("A (1)", "A", copy=1), unknown("x.png"), unknown("y.png")]
    assert joined(samples, [0, 1, 0, 1]).sources == ("A (1)",)


def test_very_long_names_stay_short_and_distinct():
    names = [f"train/{'folder/' * 50}{index}.png" for index in range(4)]
    vals = [f"val/{'folder/' * 50}{index}.png" for index in range(4)]
    samples = [unknown(name) for name in names] + [unknown(name, "val") for name in vals]
    cohort = joined(samples, [0, 1, 2, 3] * 2)
    assert len(cohort.sources) == 4
    assert max(map(len, cohort.sources)) < 200


def test_nothing_is_reported_without_copies():
    samples = [unknown("a.png"), unknown("b.png")]
    assert joined(samples, [0, 1]) == Cohort("set", tuple(samples))


def test_a_cohort_without_splits_is_joined_too():
    assert joined([unknown("a.png", None), unknown("b.png", None)], [0, 0]).sources == ("a.png",)


def test_a_mirrored_phantom_is_joined():
    first, second = (render(draw_phantom(seed, fractured=True, size=224).slice) for seed in (1, 2))
    samples = (unknown("train/a.png"), unknown("train/b.png"), unknown("val/c.png", "val"))
    gray = np.stack([first, second, first[:, ::-1]])
    loaded = LoadedCohort(Cohort("set", samples), gray, PreprocessingConfig())
    cohort = join_copies(loaded, loaded.visual_groups(progress=False))
    assert cohort.sources == (
        "train/a.png = val/c.png",
        "train/b.png",
    )


def test_equal_pixels_overrule_names_and_groups():
    samples = [
        Sample("", "fracture", "A (1)", "A", "train", "train/A (1).png"),
        Sample("", "fracture", "A (2)", "A", "train", "train/A (2).png"),
        Sample("", "normal", "A (900)", "A", "val", "val/A (900).png"),
    ]
    loaded = LoadedCohort(Cohort("set", tuple(samples)), DISTINCT[[0, 1, 0]], PreprocessingConfig())
    assert join_copies(loaded, np.array([0, 1, 2])).sources == ("A (1) = A (900)", "A (2)")
