"""The command measure, with a small untrained network that accepts drawn films."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from spinealign.cli import main
from spinealign.phantoms.frontal_spine import draw_frontal_spine

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "alignment.schema.json").read_text())


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Return a folder with a film, a small image that is rejected, a damaged file and a text."""
    folder = tmp_path / "films"
    folder.mkdir()
    film = draw_frontal_spine([-20, 20], height=512).slice.pixels.astype(np.uint8)
    Image.fromarray(film).save(folder / "a.png")
    Image.fromarray(film[:60, :60]).save(folder / "b.png")
    (folder / "c.png").write_bytes((folder / "a.png").read_bytes()[:2000])
    (folder / "notes.txt").write_text("text")
    return folder


def test_json_has_one_object_or_error_for_each_image(capsys, untrained_vertebrae, films) -> None:
    status = main(
        [
            "measure",
            str(films),
            "--model",
            str(untrained_vertebrae),
            "--engine",
            "torch",
            "--json",
            "--overlay",
            str(films / "o"),
        ]
    )
    captured = capsys.readouterr()
    measured, rejected, failed = (json.loads(line) for line in captured.out.splitlines())

    assert status == 1, "one file is damaged"
    assert "1 text file" in captured.err
    for item in (measured, rejected):
        jsonschema.validate(item, SCHEMA)
    assert measured["accepted"]
    assert measured["measures"][0]["low"] < measured["measures"][0]["value"] < measured["measures"][0]["high"]
    assert "too small" in rejected["rejection_reasons"][0]
    assert list(failed) == ["path", "error"]
    assert sorted(path.name for path in (films / "o").iterdir()) == ["a.png.overlay.png", "b.png.overlay.png"]


def test_csv_has_one_line_for_each_image(capsys, untrained_vertebrae, films) -> None:
    table = films.parent / "new" / "table.csv"
    paths = (str(films / "a.png"), str(films / "b.png"))
    status = main(["measure", *paths, "--model", str(untrained_vertebrae), "--engine", "torch", "--csv", str(table)])
    measured, rejected = csv.DictReader(table.read_text().splitlines())

    assert status == 0, "a rejected image is not an error"
    assert float(measured["cobb_main_low"]) < float(measured["cobb_main"]) < float(measured["cobb_main_high"])
    assert (rejected["accepted"], rejected["cobb_main"]) == ("False", "")
    assert capsys.readouterr().out == ""


def test_the_table_names_vertebrae_by_the_anchor(capsys, untrained_vertebrae, films) -> None:
    words = (
        "measure",
        str(films / "a.png"),
        str(films / "b.png"),
        "--model",
        str(untrained_vertebrae),
        "--engine",
        "torch",
    )
    assert main([*words, "--anchor", "t1=1"]) == 0
    head, main_curve, *rest = capsys.readouterr().out.splitlines()

    assert head.split()[:3] == ["file", "measure", "angle"]
    assert "cobb_main" in main_curve
    assert re.search(r"T\d+ to T\d+ ", main_curve)
    assert any("not accepted: too small" in line for line in rest)
    assert sum("trained without a cross-validation" in line for line in rest) == 1  # for the accepted image
    assert main([*words, "--anchor", "L5=17", "--anchor", "L5=16"]) != 0
    assert "given twice" in capsys.readouterr().err
    assert main([*words, "--anchor", "L5=1"]) == 1
    refused = capsys.readouterr().out.splitlines()[1]
    assert refused.startswith(f"{films / 'a.png'}  error: ")
    assert "others are below L5" in refused


@pytest.mark.parametrize("anchor", ["T1", "T99=1", "T1=0", "=1"])
def test_a_wrong_anchor_is_wrong_usage(capsys, anchor) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["measure", "film.png", "--anchor", anchor])

    assert caught.value.code == 2
    assert "--anchor" in capsys.readouterr().err


def test_a_file_name_that_is_not_text_is_escaped_in_csv(untrained_vertebrae, films, tmp_path) -> None:
    odd, table = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"), tmp_path / "table.csv"
    shutil.copy(films / "a.png", odd)

    assert main(["measure", odd, "--model", str(untrained_vertebrae), "--engine", "torch", "--csv", str(table)]) == 0
    assert "\\udcff.png" in table.read_text(encoding="utf-8")


def test_a_folder_is_refused_as_csv_before_measuring(capsys, tmp_path) -> None:
    assert main(["measure", "film.png", "--csv", str(tmp_path)]) == 1
    assert "is a folder" in capsys.readouterr().err
