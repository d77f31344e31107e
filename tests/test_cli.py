from __future__ import annotations

import csv
import json
import logging
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import training_words
from PIL import Image

from spinealign._version import __version__
from spinealign.cli import main


def run(capsys, *words):
    """Run a command; its log is added to the errors, as on a terminal."""
    printed = logging.StreamHandler()
    logging.getLogger("spinealign").addHandler(printed)
    try:
        status = main(list(words))
    finally:
        logging.getLogger("spinealign").removeHandler(printed)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_predict_prints_a_table(capsys, slice_png):
    status, out, _ = run(capsys, "predict", str(slice_png))
    header, row = out.splitlines()
    assert status == 0
    assert header.split() == ["file", "finding", "confidence", "accepted"]
    assert row.startswith(str(slice_png))
    assert "%" in row
    assert "no: too small: shorter side 40 pixels (limit 128)" in row


def test_predict_prints_json_lines_and_continues_after_errors(capsys, tmp_path, slice_png):
    bad = tmp_path / "bad.png"
    bad.write_text("not an image")
    status, out, _ = run(capsys, "predict", "--json", str(bad), str(slice_png))
    error, answer = (json.loads(line) for line in out.splitlines())
    assert status == 1
    assert list(error) == ["path", "error"]
    assert list(answer) == [
        "path", "label", "confidence", "probabilities", "findings", "accepted", "rejection_reasons", "notes", "model",
    ]  # fmt: skip
    assert answer["path"] == str(slice_png)


def test_predict_shows_a_bad_file_in_the_table(capsys, tmp_path, slice_png):
    status, out, _ = run(capsys, "predict", str(slice_png), str(tmp_path / "nothing.png"))
    assert status == 1
    assert "error: There is no file" in out


def test_predict_prints_every_label_as_table_json_and_csv(capsys, slice_png, models_of_every_kind):
    words = ("predict", str(slice_png), "--model", str(models_of_every_kind["mixed"]))
    lines = run(capsys, *words)[1].splitlines()
    assert lines[0].split() == ["file", "label", "finding", "confidence", "expected", "grade", "accepted"]
    assert [line.removeprefix(str(slice_png)).split()[0] for line in lines[1:]] == ["pfirrmann", "narrowing", "bulging"]
    answer = json.loads(run(capsys, *words, "--json")[1])
    assert [finding["name"] for finding in answer["findings"]] == ["pfirrmann", "narrowing", "bulging"]
    (row,) = csv.DictReader(run(capsys, *words, "--csv")[1].splitlines())
    assert row["label"] == answer["label"]
    assert float(row["expected_grade_pfirrmann"]) == pytest.approx(answer["findings"][0]["expected_grade"], abs=1e-6)
    assert float(row["probability_bulging"]) == pytest.approx(answer["probabilities"]["bulging"], abs=1e-6)


def test_predict_applies_the_white_of_the_command(capsys, tmp_path, gray, toy_model):
    for name, depth in (("full", 65535), ("twelve", 4095)):
        values = (gray.astype(float) / 255 * depth).astype(np.uint16)
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    words = ("predict", str(tmp_path), "--json", "--model", str(toy_model))
    assumed = [json.loads(line)["probabilities"] for line in run(capsys, *words)[1].splitlines()]
    told = [json.loads(line)["probabilities"] for line in run(capsys, *words, "--white", "4095")[1].splitlines()]
    assert told[1] == pytest.approx(assumed[0], abs=0.05)
    assert abs(assumed[1]["fracture"] - assumed[0]["fracture"]) > 0.3
    assert "white must be positive" in run(capsys, *words, "--white", "0")[2]


def test_predict_passes_over_what_is_not_an_image_in_a_folder(capsys, tmp_path, slice_png, toy_model):
    (tmp_path / "LICENSE").write_text("Permission is hereby granted")
    status, out, err = run(capsys, "predict", str(tmp_path), "--model", str(toy_model))
    assert status == 0
    assert err == "1 of 2 files passed over: 1 text file (LICENSE)\n"
    assert "error" not in out
    assert run(capsys, "predict", str(tmp_path), str(tmp_path / "LICENSE"), "--model", str(toy_model))[0] == 1
    (tmp_path / "damaged.png").write_text("no image")
    status, out, _ = run(capsys, "predict", str(tmp_path), "--model", str(toy_model))
    assert status == 1
    assert "damaged.png is a text file" in out


def test_predict_reports_an_empty_folder(capsys, tmp_path):
    status, out, _ = run(capsys, "predict", str(tmp_path))
    assert status == 1
    assert "is a folder" in out


def test_predict_with_another_model_and_engine(capsys, slice_png, tiny_checkpoint):
    model = str(tiny_checkpoint)
    answers = [
        json.loads(run(capsys, "predict", "--json", str(slice_png), "--model", model, "--engine", engine)[1])
        for engine in ("onnx", "torch")
    ]
    assert answers[0]["model"] == model
    assert answers[0]["probabilities"] == pytest.approx(answers[1]["probabilities"], abs=1e-4)


def test_a_missing_model_is_an_error_message(capsys, slice_png):
    status, _, err = run(capsys, "predict", str(slice_png), "--model", "no/such/model/here")
    assert status == 1
    assert err.startswith("error: There is no folder")


def test_info_prints_versions_engine_and_model(capsys):
    status, out, _ = run(capsys, "info", "--json")
    content = json.loads(out)
    assert status == 0
    assert (content["spinealign"], content["engine"], content["model"]) == (__version__, "onnx", "spinealign/default")
    assert "numpy" in run(capsys, "info")[1]


def test_evaluate_prints_accuracy_with_interval_and_baseline(capsys, phantom_folder, tiny_checkpoint):
    status, out, err = run(capsys, "evaluate", str(phantom_folder), "--model", str(tiny_checkpoint), "--split", "val")
    assert status == 0
    assert "thumbnail ridge" in out
    assert "naive 95 %" in out
    assert "were used in the training of the model" in err
    assert "do not show how it performs" in err, "the split has selected the epoch"


def test_evaluate_writes_what_is_stored_with_figures(capsys, tmp_path, phantom_folder, tiny_checkpoint):
    words = ("evaluate", str(phantom_folder), "--model", str(tiny_checkpoint), "--output", str(tmp_path / "out"))
    status, out, err = run(capsys, *words, "--json")
    assert status == 0
    stored = json.loads((tiny_checkpoint / "metrics.json").read_text())["evaluations"][0]
    assert json.loads(out) == {**stored, "training_overlap": {"images": 32, "left_out": 32}}
    assert "optimistic" not in err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "evaluation.json", "evaluation.png", "worst_cases.png",
    ]  # fmt: skip


def test_evaluate_by_folds_shows_how_the_scores_vary(capsys, phantom_folder, tiny_checkpoint):
    words = ("evaluate", str(phantom_folder), "--model", str(tiny_checkpoint), "--folds", "3")
    status, out, err = run(capsys, *words)
    assert status == 0
    assert "fold 3" in out
    assert "accuracy over 3 folds" in out
    assert "32 images of the same sources are not scored" in err


def test_predict_writes_heat_maps(capsys, tmp_path, slice_png, tiny_checkpoint):
    bad = tmp_path / "bad.png"
    bad.write_text("no image")
    words = ("predict", str(bad), str(slice_png), "--model", str(tiny_checkpoint), "--explain", str(tmp_path / "maps"))
    assert run(capsys, *words)[0] == 1, "one file is unusable"
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["slice.png.heat.png"]


def test_evaluate_names_what_it_skipped(capsys, tmp_path, slice_png, tiny_checkpoint):
    for name in ("fracture/a.png", "normal/b.png", "normal/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"text" if name.endswith(".txt") else slice_png.read_bytes())
    status, _, err = run(capsys, "evaluate", str(tmp_path), "--model", str(tiny_checkpoint))
    assert status == 0
    assert "1 text file (normal/c.txt)" in err


def test_evaluate_uses_the_given_split_of_a_known_collection(capsys, tmp_path, phantom_folder, tiny_checkpoint):
    other = tmp_path / "phantoms"
    shutil.copytree(phantom_folder, other)
    manifest = (other / "manifest.csv").read_text().splitlines()
    kept = [line for line in manifest if not line.startswith(("train", "val"))]
    (other / "manifest.csv").write_text("\n".join(kept))
    status, out, _ = run(capsys, "evaluate", str(other), "--model", str(tiny_checkpoint), "--json")
    assert status == 0
    assert json.loads(out)["images"] == 12


def test_evaluate_refuses_a_collection_without_the_finding(capsys, tmp_path, slice_png, tiny_checkpoint):
    for name in ("fractures/a.png", "normal/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(slice_png.read_bytes())
    status, _, err = run(capsys, "evaluate", str(tmp_path), "--model", str(tiny_checkpoint))
    assert status == 1
    assert "has the classes fractures, and the model knows normal, fracture" in err
    assert "--positive" in err


def test_evaluate_names_a_missing_split(capsys, tmp_path, slice_png, tiny_checkpoint):
    for name in ("fracture/a.png", "normal/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(slice_png.read_bytes())
    status, _, err = run(capsys, "evaluate", str(tmp_path), "--model", str(tiny_checkpoint), "--split", "val")
    assert status == 1
    assert "has no split val" in err


@pytest.mark.slow
def test_evaluate_splits_a_training_collection_as_in_training(capsys, tmp_path, phantom_folder, tiny_backbone):
    flat = tmp_path / "flat"
    for index, path in enumerate(sorted((phantom_folder / "train").iterdir())):
        label = "fracture" if index % 2 == 0 else "normal"
        (flat / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, flat / label / f"slice{index // 2 // 2}{label}-{index}.png")
    pattern = ("--source_pattern", r"^(?P<source>slice.+)-\d+$")
    words = training_words(flat, tiny_backbone, tmp_path / "out", "--num_train_epochs", "1", *pattern)
    status, out, _ = run(capsys, "train", *words)
    assert status == 0
    assert "thumbnail ridge" in out
    assert f"The checkpoint is in {tmp_path / 'out'}" in out
    stored = json.loads((tmp_path / "out" / "metrics.json").read_text())["evaluations"][0]
    status, out, _ = run(capsys, "evaluate", str(flat), "--model", str(tmp_path / "out"), "--json")
    assert status == 0
    assert json.loads(out) == {**stored, "training_overlap": {"images": 18, "left_out": 18}}
    assert stored["split"] == "test"
    assert stored["sources"] < stored["images"], "evaluate uses the pattern of the training"
    for label in ("fracture", "normal"):  # copies of training images, whose names do not match the pattern
        (tmp_path / "other" / label).mkdir(parents=True)
        shutil.copy(next((flat / label).iterdir()), tmp_path / "other" / label / "a.png")
    status, _, err = run(capsys, "evaluate", str(tmp_path / "other"), "--model", str(tmp_path / "out"))
    assert status == 1
    assert "trained on all images" in err
    _, _, err = run(capsys, "evaluate", str(flat), "--model", str(tmp_path / "out"), "--split", "train")
    assert "do not show how it performs" in err


def test_phantoms_never_overwrite_a_folder(capsys, tmp_path):
    words = ("phantoms", str(tmp_path / "set"), "--train", "3", "--val", "0", "--test", "1", "--seed", "9")
    status, out, _ = run(capsys, *words)
    assert status == 0
    assert len(list((tmp_path / "set").rglob("*.png"))) == 4
    assert "manifest.csv" in out
    status, _, err = run(capsys, *words)
    assert status == 1
    assert "not empty" in err


@pytest.mark.parametrize("kind", ["frontal", "lateral"])
def test_phantoms_of_the_spine_are_drawn_by_kind(capsys, tmp_path, kind):
    words = ("phantoms", str(tmp_path / "set"), "--kind", kind, "--train", "1", "--val", "0", "--test", "0")
    status, _, _ = run(capsys, *words)
    assert status == 0
    assert len(list((tmp_path / "set" / "train").glob("*.png"))) == 1
    assert (tmp_path / "set" / "train.csv").exists() == (kind == "frontal")


def test_train_help_lists_our_and_transformers_options(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", "--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    for option in ("--data_dir", "--on_leakage", "--from_scratch", "--rotation_deg", "--denoise", "--learning_rate"):
        assert option in said


@pytest.mark.parametrize("words", [[], ["fly"], ["predict"], ["predict", "a.png", "--engine", "magic"], ["train"]])
def test_wrong_usage_exits_with_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["audit", "predict", "demo", "info", "evaluate", "phantoms"])
def test_every_command_has_a_help_text(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert len(capsys.readouterr().out) > 200


def test_missing_training_packages_give_the_pip_command():
    script = "import sys; sys.modules['torch'] = None\nfrom spinealign.cli import main\nsys.exit(main(['train']))"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert finished.returncode == 1
    assert finished.stderr == 'error: not installed: torch. Run: pip install "spinealign[train]"\n'


def test_a_closed_pipe_is_not_an_error(slice_png):
    program = "import sys; from spinealign.cli import main; sys.exit(main())"
    paths = shlex.join([str(slice_png)] * 20)
    script = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)} predict --json {paths} | head -n 1"
    finished = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True)
    assert json.loads(finished.stdout)["path"] == str(slice_png)
    assert finished.stderr == ""


def test_an_interruption_ends_quietly(monkeypatch, capsys, slice_png):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("spinealign.inference.predictor.Predictor.from_pretrained", interrupted)
    assert main(["predict", str(slice_png)]) == 130
    assert capsys.readouterr().err == "interrupted\n"
