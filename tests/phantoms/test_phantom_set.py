from __future__ import annotations

import csv
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from spinealign.cohort.indexing import index_cohort
from spinealign.imaging.preprocessing import render
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.phantoms.phantom_set import write_phantoms


def test_written_cohort_is_balanced_and_has_break_sizes(phantom_folder):
    cohort = index_cohort(phantom_folder)
    assert cohort.splits == ("train", "val", "test")
    for split, count in (("train", 24), ("val", 8), ("test", 12)):
        labels = [sample.label for sample in cohort.part(split)]
        assert (len(labels), labels.count("fracture")) == (count, count // 2)
    assert all((sample.size_mm is not None) == (sample.label == "fracture") for sample in cohort)
    assert len(cohort.sources) == len(cohort)


def test_file_equals_the_phantom_of_its_seed(phantom_folder):
    with (phantom_folder / "manifest.csv").open(newline="") as stream:
        row = next(csv.DictReader(stream))
    phantom = draw_phantom(int(row["seed"]), fractured=row["label"] == "fracture", size=64)
    np.testing.assert_array_equal(np.asarray(Image.open(phantom_folder / row["path"])), render(phantom.slice))
    assert phantom.fracture.site == row["site"]


def test_folder_with_files_is_not_changed(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(FileExistsError, match="not empty"):
        write_phantoms(tmp_path, {"train": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("counts", [{"train": -1, "val": 2}, {"train": 0}])
def test_invalid_counts_raise(tmp_path, counts):
    with pytest.raises(ValueError, match="negative"):
        write_phantoms(tmp_path / "new", counts)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".."])
def test_a_split_outside_the_folder_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="plain folder names"):
        write_phantoms(tmp_path / "new", {name: 2})
    assert not list(tmp_path.iterdir())


def test_a_script_without_main_guard_can_write_phantoms(tmp_path):
    script = tmp_path / "draw.py"
    script.write_text(
        "from spinealign.phantoms.phantom_set import write_phantoms\nwrite_phantoms('new', {'train': 2}, size=64)\n"
    )
    subprocess.run([sys.executable, script], cwd=tmp_path, check=True, timeout=120)
    assert len(list((tmp_path / "new" / "train").glob("*.png"))) == 2


def test_failed_run_leaves_no_files(tmp_path):
    with pytest.raises(ValueError, match="size"):
        write_phantoms(tmp_path / "new", {"train": 2}, size=8)
    assert list(tmp_path.iterdir()) == []
