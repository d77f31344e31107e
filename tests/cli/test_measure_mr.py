"""The command measure on MR, whose network is replaced by the masks of a drawn slice."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jsonschema
import nibabel
import numpy as np
import pytest
from drawn_slices import PerfectEngine, drawn_slice

from cli.test_measure_command import SCHEMA
from spinealign.alignment import aligner as loading
from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.sagittal_settings import SagittalSettings
from spinealign.cli import main


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkpoint for MR whose networks know the drawn slice."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["SagittalNetwork"]}))
    (folder / "spinealign.json").write_text(SagittalSettings().to_json())
    (folder / "model.onnx").write_bytes(b"no network")
    monkeypatch.setattr(loading, "_load_engine", lambda *_, **__: PerfectEngine(drawn_slice()))
    assert Checkpoint(folder, "model").kind == "sagittal_mr"
    return folder


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Return a folder with a volume, a 4-D file and an axial volume."""
    folder = tmp_path / "scans"
    folder.mkdir()
    gray = np.random.default_rng(0).integers(1, 200, (3, 224, 160)).astype(np.uint8)
    affine = np.array([[-4.0, 0, 0, 0], [0, 0, -1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # slices, rows, columns
    nibabel.save(nibabel.Nifti1Image(gray, affine), folder / "a.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.stack([gray] * 2, axis=-1), affine), folder / "b.nii.gz")
    nibabel.save(nibabel.Nifti1Image(gray.transpose(2, 1, 0), np.diag([1.0, 1, 4, 1])), folder / "c.nii.gz")
    return folder


def test_volumes_give_json_overlays_and_masks(capsys, model, scans, tmp_path) -> None:
    words = ("--overlay", str(tmp_path / "o"), "--masks", str(tmp_path / "m"))
    status = main(["measure", str(scans), "--model", str(model), "--json", *words])
    measured, failed, rejected = (json.loads(line) for line in capsys.readouterr().out.splitlines())

    assert status == 1, "a 4-D file is an error"
    assert "has 2 volumes" in failed["error"]
    for item in (measured, rejected):
        jsonschema.validate(item, SCHEMA)
    assert (measured["numbering"]["from"], measured["slice"]) == ("S1", 1)
    assert "wrong plane: axial" in rejected["rejection_reasons"][0]
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["a.nii.gz.overlay.png", "c.nii.gz.overlay.png"]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["a.nii.gz.masks.json", "a.nii.gz.masks.nii.gz"]
    assert nibabel.load(tmp_path / "m" / "a.nii.gz.masks.nii.gz").shape == (3, 224, 160)


def test_csv_and_levels_by_hand(capsys, model, scans, tmp_path) -> None:
    table, scan = tmp_path / "t.csv", str(scans / "a.nii.gz")
    assert main(["measure", scan, "--model", str(model), "--lowest", "L4", "--csv", str(table)]) == 0
    (row,) = csv.DictReader(table.read_text().splitlines())
    assert float(row["segment_l3_l4"]) == pytest.approx(0, abs=0.5)
    assert main(["measure", scan, "--model", str(model), "--anchor", "L4=77,150"]) == 0
    assert "L4-L5" in capsys.readouterr().out
    assert main(["measure", scan, "--model", str(model), "--anchor", "L4=2"]) == 1
    assert "given by a point" in capsys.readouterr().err
    assert main(["measure", scan, "--model", str(model), "--kind", "frontal_xray"]) == 1
    assert "measures images of the kind sagittal_mr" in capsys.readouterr().err


def test_series_of_one_study_share_their_levels(capsys, model, scans) -> None:
    whole = nibabel.load(scans / "a.nii.gz")
    cut = nibabel.Nifti1Image(np.asarray(whole.dataobj)[:, :190], whole.affine)  # S1 is not in view
    nibabel.save(cut, scans / "d.nii.gz")
    words = ["measure", str(scans), "--model", str(model), "--json"]
    main(words)
    alone = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert main([*words, "--one_study"]) == 1
    first, failed, rejected, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())

    assert alone["numbering"]["from"] == "bottom"
    assert last["numbering"] == first["numbering"]
    assert "Levels taken from another series of this patient." in last["notes"]
    assert ("error" in failed, rejected["accepted"]) == (True, False)
    jsonschema.validate(last, SCHEMA)
    assert main([*words, "--one_study", "--lowest", "L5"]) == 1
    assert "omit --one_study" in capsys.readouterr().err
