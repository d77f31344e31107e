"""Loading of films with corners from each kind of collection."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from cohort.landmarks.conftest import SIZE, WriteTable, write_coco
from spinealign.alignment.cobb import aasce_angles
from spinealign.alignment.vertebra import spine
from spinealign.cli import main
from spinealign.cohort.landmarks.loading import load_films
from spinealign.errors import CohortError


def test_tables_give_films_of_their_splits(curved: np.ndarray, write_table: WriteTable) -> None:
    write_table("train", {"a.png": curved, "b.png": None})
    cohort = load_films(write_table("test", {"c.png": curved}))

    assert [(film.name, film.split, len(film.corners)) for film in cohort] == [
        ("c.png", "test", 17),
        ("a.png", "train", 17),
        ("b.png", "train", 0),
    ]
    film = cohort.part("train").films[0]
    np.testing.assert_allclose(film.corners, curved, atol=1e-9)
    np.testing.assert_allclose(film.points, curved * SIZE, atol=1e-6)
    assert film.read().shape == film.shape == SIZE[::-1]
    assert cohort.outcomes == {"ok": 3}


def test_one_bad_row_does_not_end_the_load(curved: np.ndarray, write_table: WriteTable) -> None:
    incomplete = curved.copy()
    incomplete[3, 1, 0] = math.nan
    folder = write_table("train", {"a.png": curved, "gone.png": curved, "broken.png": curved, "d.png": incomplete})
    (folder / "train" / "gone.png").unlink()
    (folder / "train" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    cohort = load_films(folder)

    assert [film.name for film in cohort] == ["a.png", "d.png"]
    assert len(cohort.films[1].corners) == 16
    for reason in ("1 row whose file is missing", "1 film that cannot be read", "1 vertebra without all its coord"):
        assert reason in cohort.notes[0]


def test_faulty_labels_are_dropped_but_only_flagged_in_test(curved: np.ndarray, write_table: WriteTable) -> None:
    faulty = curved.copy()
    faulty[4, 3] = faulty[4, :3].mean(axis=0)
    write_table("train", {"a.png": faulty, "b.png": curved})
    cohort = load_films(write_table("test", {"c.png": faulty}))

    assert [film.name for film in cohort] == ["c.png", "b.png"]
    assert cohort.outcomes == {"dropped": 1, "flagged": 1, "ok": 1}
    assert not cohort.films[0].reliable.any()


def test_a_repair_file_overrules_the_checks(curved: np.ndarray, write_table: WriteTable) -> None:
    names = ["drop.png", "keep.png", "mask.png", "omit.png"]
    folder = write_table("train", {name: curved[[1, 0, *range(2, 17)]] for name in names})
    (folder / "repairs.csv").write_text(
        "file,action,detail,reason\ndrop.png,drop,,wrong spine\nkeep.png,keep,,looked at\n"
        "mask.png,mask,3 4,behind the heart\nomit.png,omit,1,not a vertebra\n"
    )
    cohort = load_films(folder)
    films = {film.name: film for film in cohort}

    assert films.keys() == {"keep.png", "mask.png", "omit.png"}
    np.testing.assert_allclose(films["keep.png"].corners[0], curved[1])
    assert np.flatnonzero(~films["mask.png"].reliable).tolist() == [2, 3]
    np.testing.assert_allclose(films["omit.png"].corners, curved[[0, *range(2, 17)]])
    assert {check.outcome for check in cohort.checks} == {"dropped", "ok", "masked", "repaired"}


def test_an_unknown_action_names_the_known_ones(curved: np.ndarray, write_table: WriteTable) -> None:
    folder = write_table("train", {"a.png": curved})
    (folder / "repairs.csv").write_text("file,action,detail,reason\na.png,remove,,x\n")

    with pytest.raises(CohortError, match="drop, keep, mask, omit, join"):
        load_films(folder)


def test_drawn_collections_are_read(tmp_path: Path) -> None:
    assert (
        main(["phantoms", str(tmp_path / "drawn"), "--kind", "frontal", "--train", "1", "--val", "0", "--test", "1"])
        == 0
    )
    cohort = load_films(tmp_path / "drawn")

    assert [film.split for film in cohort] == ["test", "train"]
    assert cohort.outcomes == {"ok": 2}
    assert all(aasce_angles(spine(film.points)) == pytest.approx(film.given_angles, abs=0.2) for film in cohort)


@pytest.mark.parametrize("whole_spine", [True, False], ids=["spine", "vertebrae"])
def test_coco_keypoints_are_read(curved: np.ndarray, tmp_path: Path, whole_spine: bool) -> None:
    points = curved * SIZE
    shuffled = list(points[::-1])
    marks = [shuffled] if whole_spine else [[vertebra] for vertebra in shuffled]
    cohort = load_films(write_coco(tmp_path, {"spine.png": marks, "chest.png": []}))

    spine, background = cohort.films
    np.testing.assert_allclose(spine.points, points)
    assert (spine.split, len(background.corners)) == ("val", 0)


def test_bad_annotations_do_not_end_the_load(curved: np.ndarray, tmp_path: Path) -> None:
    vertebrae = list(curved * SIZE)
    write_coco(
        tmp_path,
        {"good.png": [vertebrae], "three.png": [[vertebrae[0]]], "text.png": [vertebrae], "box.png": [vertebrae]},
    )
    content = json.loads((tmp_path / "val.json").read_text())
    content["annotations"][1]["keypoints"] = content["annotations"][1]["keypoints"][:9]
    content["annotations"][2]["keypoints"][5] = "left"
    del content["annotations"][3]["keypoints"]
    (tmp_path / "val.json").write_text(json.dumps(content))
    cohort = load_films(tmp_path)

    assert [film.name for film in cohort] == ["good.png"]
    assert "3 images with an annotation without four keypoints" in cohort.notes[0]


def test_a_hub_dataset_on_the_disk_is_read(curved: np.ndarray, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    Image.new("L", SIZE).save(tmp_path / "a.png")
    rows = {"image": [str(tmp_path / "a.png")], "corners": [curved.tolist()]}
    table = datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())
    (tmp_path / "set").mkdir()
    table.to_parquet(tmp_path / "set" / "test.parquet")
    (film,) = load_films(tmp_path / "set").films

    np.testing.assert_allclose(film.corners, curved, atol=1e-6)
    assert (film.split, film.read().shape) == ("test", SIZE[::-1])


def test_dicom_films_are_read(curved: np.ndarray, write_table: WriteTable) -> None:
    folder = write_table("train", {"a.png": curved})
    ct = Path(str(get_testdata_file("CT_small.dcm")))
    (folder / "train" / "a.png").write_bytes(ct.read_bytes())

    (film,) = load_films(folder / "train.csv").films
    assert film.shape == film.read().shape == (128, 128)


def test_the_digest_depends_on_labels_and_pixels(curved: np.ndarray, write_table: WriteTable) -> None:
    digests = [
        load_films(write_table("train", {"a.png": corners})).digest for corners in (curved, curved, curved + 0.01)
    ]
    Image.new("L", SIZE, 77).save(write_table("train", {"a.png": curved}) / "train" / "b.png")
    folder = write_table("train", {"a.png": curved})
    Image.new("L", SIZE, 77).save(folder / "train" / "a.png")

    assert digests[0] == digests[1]
    assert len({*digests, load_films(folder).digest}) == 3


def test_films_of_one_number_are_one_group(curved: np.ndarray, write_table: WriteTable) -> None:
    write_table("train", {"x-02-Jan-2017-7 A.png": curved, "x-02-Jan-2017-8 A.png": curved, "other.png": curved})
    cohort = load_films(write_table("test", {"x-28-Feb-2017-7 A.png": curved, "x-28-Feb-2017-9 A.png": curved}))

    assert len({film.group for film in cohort}) == 4
    assert [film.name for film in cohort.unseen_training.part("train")] == ["x-02-Jan-2017-8 A.png", "other.png"]
    assert [film.name for film in cohort.clean_test] == ["x-28-Feb-2017-9 A.png"]


def test_listed_films_are_joined_to_one_group(curved: np.ndarray, write_table: WriteTable) -> None:
    write_table("train", {"a.png": curved, "b.png": curved})
    folder = write_table("test", {"c.png": curved, "d.png": curved})
    (folder / "repairs.csv").write_text(
        "file,action,detail,reason\nc.png,join,b.png,same radiograph\nc.png,join,gone.png,other part\n"
    )
    cohort = load_films(folder)

    assert [film.name for film in cohort.clean_test] == ["d.png"]
    assert [film.name for film in cohort.unseen_training.part("train")] == ["a.png"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,x0,y0\na.png,0.1,0.1\n", "columns for 1 points"),
        ("file,label\na.png,normal\n", "columns for 0 points"),
    ],
)
def test_a_table_without_corners_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "train.csv").write_text(content)

    with pytest.raises(CohortError, match=message):
        load_films(tmp_path)


def test_a_file_that_is_not_coco_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text("[1]")

    with pytest.raises(CohortError, match=r"train\.json is not a COCO file"):
        load_films(tmp_path / "train.json")
