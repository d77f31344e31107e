from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spinealign.cohort.audit.auditing import audit
from spinealign.cohort.audit.fixing import fixed_split, write_fixed_split
from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.indexing import index_cohort
from spinealign.errors import CohortError


def sample(number: int, label: str, split: str | None, **known: str | None) -> Sample:
    return Sample(
        f"{number}.png", label, known.pop("source", None) or f"s{number}", split=split, name=f"{number}", **known
    )


def leaking(torn: int = 10) -> Cohort:
    """Return 100 images in train and 50 in val; each of the first patients has an image in both."""
    train = [sample(number, "large" if number % 2 else "small", "train", patient=f"p{number}") for number in range(100)]
    val = [
        sample(100 + number, "large" if number % 2 else "small", "val",
               patient=f"p{number}" if number < torn else f"q{number}")
        for number in range(50)
    ]  # fmt: skip
    return Cohort("set", (*train, *val))


def homes(cohort: Cohort, column: str) -> list[set[str | None]]:
    names = {getattr(item, column) for item in cohort} - {None}
    return [{item.split for item in cohort if getattr(item, column) == name} for name in names]


def test_a_patient_in_two_splits_gets_one():
    fixed = fixed_split(leaking())
    assert max(map(len, homes(fixed, "patient"))) == 1
    for split, count in (("train", 100), ("val", 50)):
        shares = fixed.part(split).counts("label")
        assert shares["large"] == pytest.approx(count / 2, abs=2)
        assert shares["small"] == pytest.approx(count / 2, abs=2)


def test_what_is_in_one_split_stays_there():
    before = leaking()
    moved = {one.name for one, other in zip(before, fixed_split(before)) if one.split != other.split}
    assert moved <= {f"{number}" for number in (*range(10), *range(100, 110))}


def test_the_split_depends_on_the_seed_only():
    assert fixed_split(leaking(), seed=3) == fixed_split(leaking(), seed=3)
    assert fixed_split(leaking(), seed=3) != fixed_split(leaking(), seed=4)


def test_series_are_kept_together_if_possible(caplog):
    rows = [(number, "small" if number % 2 else "large", "train" if number % 3 else "val") for number in range(60)]
    cohort = Cohort("set", tuple(sample(*row, series=f"scan {row[0] // 10}") for row in rows))
    assert max(map(len, homes(fixed_split(cohort), "series"))) == 1
    assert not caplog.messages
    one_scan = Cohort("set", tuple(sample(*row, series="scan") for row in rows))
    assert fixed_split(one_scan) == one_scan
    assert "set: 1 of 1 series are in two splits" in caplog.text


def test_a_class_that_would_be_missing_is_an_error():
    rows = [("small", "train"), ("small", "val"), ("large", "train"), ("large", "val")]
    samples = (sample(number, *row, patient="p" if row[0] == "large" else None) for number, row in enumerate(rows))
    with pytest.raises(CohortError, match=r"(train|val) has no large"):
        fixed_split(Cohort("set", tuple(samples)))


def test_every_label_keeps_its_classes():
    samples = tuple(
        Sample(f"{number}.png", None, f"s{number // 2}", split=("train", "val")[number % 2], name=f"{number}",
               labels={"grade": str(number // 2 % 3), "bulging": None if number % 5 == 0 else str(number // 2 % 2)})
        for number in range(120)
    )  # fmt: skip
    fixed = fixed_split(Cohort("set", samples))
    assert max(map(len, homes(fixed, "source"))) == 1
    for split in ("train", "val"):
        assert set(fixed.part(split).counts("grade")) == {"0", "1", "2"}
        assert min(fixed.part(split).counts("grade").values()) >= 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A collection in which every source of val has a rotated copy in train."""
    folder = tmp_path_factory.mktemp("fixing") / "set"
    for number in range(8):
        noise = np.random.default_rng(number).integers(0, 256, (40, 40), np.uint8)
        image = Image.fromarray(noise).resize((112, 112), Image.Resampling.BICUBIC)
        for split, angle in (("train", 0), ("val", 90)):
            path = folder / split / ("large" if number % 2 else "small") / f"{split}{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.rotate(angle).save(path)
    return folder


def test_an_audit_of_the_manifest_finds_no_leak(folder, tmp_path):
    found = audit(folder, progress=False)
    assert len(found.straddling) == 8
    manifest = found.fix_split(tmp_path / "fixed", seed=1)
    again = audit(manifest.parent, progress=False)
    assert (again.images, again.sources, again.has_leaks) == (16, 8, False)
    assert index_cohort(manifest).splits == ("train", "val")


def test_other_files_are_never_overwritten(folder, tmp_path):
    (tmp_path / "notes.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="not empty"):
        write_fixed_split(index_cohort(folder), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_images_without_files_are_refused(tmp_path):
    with pytest.raises(CohortError, match="images in files"):
        write_fixed_split(Cohort("set", (Sample(b"", "small", "a"),)), tmp_path / "fixed")
    assert not (tmp_path / "fixed").exists()


def test_known_columns_are_kept(folder, tmp_path):
    cohort = Cohort(
        "set", tuple(sample(number, str(number % 2), "train", patient="p", level="C5") for number in (0, 1))
    )
    with write_fixed_split(cohort, tmp_path / "fixed").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["label"], row["patient"], row["level"], row["size_mm"]) for row in rows] == [
        ("0", "p", "C5", ""),
        ("1", "p", "C5", ""),
    ]
