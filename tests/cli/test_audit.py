from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from spinealign.cli import main


def run(*words: object) -> int:
    return main(["audit", *map(str, words)])


@pytest.fixture(scope="module")
def leaking(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audits") / "leaking"
    random = np.random.default_rng(0)
    for name in ("train/fracture/a", "train/normal/b", "val/fracture/c", "val/normal/d"):
        noise = Image.fromarray(random.integers(0, 256, (40, 40), np.uint8))
        image = noise.resize((112, 112), Image.Resampling.BICUBIC)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{name}.png")
        if name.endswith("b"):
            (folder / "val" / "normal").mkdir(parents=True)
            image.rotate(20, Image.Resampling.BICUBIC).save(folder / "val" / "normal" / "turned.png")
    return folder


def test_strict_refuses_sources_in_two_splits(leaking, capsys):
    assert run(leaking, "--strict") == 3
    assert "train/normal/b.png = val/normal/turned.png" in capsys.readouterr().out


def test_a_fixed_split_has_no_leak(leaking, tmp_path, capsys):
    assert run(leaking, "--fix_split", tmp_path / "fixed", "--json") == 0
    assert "Wrote" in capsys.readouterr().err
    assert run(tmp_path / "fixed", "--strict") == 0


def test_a_full_folder_for_the_split_is_refused_first(leaking, capsys):
    assert run(leaking / "nowhere", "--fix_split", leaking) == 1
    assert "is not empty; choose another folder" in capsys.readouterr().err


def test_json_is_one_object_and_the_page_is_written(leaking, tmp_path, capsys):
    assert run(leaking, "--json", "--html", tmp_path / "audit.html") == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["sources"] == 4
    assert "audit.html" in output.err
    assert (tmp_path / "audit.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_page_in_a_missing_folder_is_refused_first(tmp_path, capsys):
    assert run(tmp_path, "--html", tmp_path / "nowhere" / "audit.html") == 1
    assert "create it first" in capsys.readouterr().err
