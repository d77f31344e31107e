"""Public names of `import spinealign`."""

from __future__ import annotations

import json
import os
import pickle
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml
from conftest import ROOT, training_options
from transformers import TrainingArguments

import spinealign
from spinealign.errors import CohortError, LeakageError, MissingDependencyError

NAMES = {
    "Aligner", "Alignment", "Cohort", "Evaluation", "HeatMap", "Prediction", "Predictor", "Slice", "SpineAlignError",
    "Volume", "__version__", "audit", "evaluate", "list_scans", "load_cohort", "measure", "measure_masks",
    "measure_study", "predict", "predictions_to_dataframe", "push_to_hub", "read_slice", "read_volume", "train",
}  # fmt: skip


def test_exported_names_are_the_promised_ones():
    assert set(spinealign.__all__) == set(dir(spinealign)) == NAMES
    for name in NAMES - {"__version__"}:
        assert getattr(spinealign, name).__module__.startswith("spinealign.")
        assert getattr(spinealign, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = spinealign.nothing


def test_importing_loads_no_module_of_the_package():
    script = "import sys, spinealign; print(sorted(name for name in sys.modules if name.startswith('spinealign.')))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "['spinealign._version']"


def test_python_and_command_line_have_the_same_defaults(tmp_path):
    from spinealign.training.setup import make_setup, parse_training_setup

    output = str(tmp_path / "out")
    parsed = parse_training_setup(["--data_dir", "a", "--output_dir", output])
    made = make_setup("a", output)
    for group in ("data", "model", "augmentation", "enhancement"):
        assert getattr(made, group) == getattr(parsed, group)
    ours, theirs = made.training.to_dict(), parsed.training.to_dict()
    assert {name for name in ours if ours[name] != theirs[name]} == set()


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_a_settings_file_equals_the_command_line(tmp_path, suffix):
    from spinealign.training.setup import parse_training_setup

    settings = {
        "data_dir": ["a", "b"], "output_dir": str(tmp_path / "out"), "backbone": "cnn", "from_scratch": True,
        "learning_rate": 1e-3, "folds": 5, "source_pattern": None, "flip": False,
    }  # fmt: skip
    path = tmp_path / f"settings{suffix}"
    path.write_text(json.dumps(settings) if suffix == ".json" else yaml.safe_dump(settings))
    setup = parse_training_setup([str(path)])
    assert setup.data.data_dir == ["a", "b"]
    assert (setup.data.folds, setup.data.source_pattern, setup.augmentation.flip) == (5, None, False)
    assert (setup.model.model_name_or_path, setup.model.from_scratch) == ("cnn", True)
    assert (setup.training.learning_rate, setup.training.num_train_epochs) == (1e-3, 3)


def test_a_yaml_number_without_a_point_is_a_number(tmp_path):
    from spinealign.training.setup import parse_training_setup

    path = tmp_path / "settings.yml"
    path.write_text(f"data_dir: a\noutput_dir: {tmp_path}\nlearning_rate: 1e-3\n")  # a string in YAML 1.1
    assert parse_training_setup([str(path)]).training.learning_rate == 1e-3


@pytest.mark.parametrize(("content", "message"), [("{", "cannot be parsed"), ("- a", "must map option names")])
def test_a_damaged_settings_file_is_an_error(tmp_path, content, message):
    from spinealign.training.setup import parse_training_setup

    path = tmp_path / "settings.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        parse_training_setup([str(path)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rat": 1}, "Did you mean 'learning_rate'"),
        ({"split": "random"}, "split must be one of"),
        ({"weights_dtype": "int8"}, "weights_dtype must be one of"),
        ({"folds": 1}, "folds must be 0 or at least 2"),
    ],
)
def test_a_wrong_option_is_refused_at_once(tmp_path, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        spinealign.train("nowhere", tmp_path / "out", **options)


def test_options_beside_ready_arguments_are_refused(tmp_path):
    with pytest.raises(TypeError, match="Set it in args"):
        spinealign.train("nowhere", args=TrainingArguments(str(tmp_path)), learning_rate=1.0)


@pytest.mark.slow
def test_a_cohort_trains_like_its_folder(tmp_path, phantom_folder, tiny_backbone, tiny_checkpoint):
    """In spawned workers too, and with the same seed again."""
    options = {
        **training_options(tiny_backbone), "num_train_epochs": 2, "dataloader_num_workers": 2,
        "dataloader_persistent_workers": True, "dataloader_multiprocessing_context": "spawn",
    }  # fmt: skip
    result = spinealign.train(spinealign.load_cohort(phantom_folder), tmp_path / "out", **options)
    first, second = (json.loads((folder / "metrics.json").read_text()) for folder in (tiny_checkpoint, result.folder))
    assert first["evaluations"] == second["evaluations"]
    histories = [
        [{name: value for name, value in row.items() if "second" not in name and "runtime" not in name} for row in rows]
        for rows in (first["training"]["history"], second["training"]["history"])
    ]
    assert histories[0] == histories[1]


@pytest.mark.slow
def test_training_needs_no_main_guard_and_no_home_folder(tmp_path, phantom_folder, tiny_backbone):
    script = tmp_path / "script.py"
    script.write_text(
        "import spinealign\n"
        f"spinealign.train({str(phantom_folder)!r}, {str(tmp_path / 'out')!r}, backbone={str(tiny_backbone)!r},\n"
        "    from_scratch=True, num_train_epochs=1, use_cpu=True)\n"
    )
    caches = ("XDG_CACHE_HOME", "HF_HOME", "HF_EVALUATE_CACHE", "HF_METRICS_CACHE")
    environment = {name: value for name, value in _environment().items() if name not in caches}
    environment["HOME"] = "/proc/nowhere"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "model.onnx").is_file()


def test_a_predictor_works_in_spawned_workers(tmp_path, tiny_checkpoint, phantom_folder):
    predictor = spinealign.Predictor.from_pretrained(tiny_checkpoint)
    paths = [str(path) for path in sorted((phantom_folder / "test").iterdir())[:2]]
    script = tmp_path / "workers.py"
    (tmp_path / "predictor.bin").write_bytes(pickle.dumps(predictor))
    script.write_text(
        "import json, pickle, sys\n"
        "from multiprocessing import get_context\n"
        "if __name__ == '__main__':\n"
        f"    predictor = pickle.loads(open({str(tmp_path / 'predictor.bin')!r}, 'rb').read())\n"
        "    with get_context('spawn').Pool(2) as pool:\n"
        f"        print(json.dumps([item.to_dict() for item in pool.map(predictor, {paths!r})]))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=_environment())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [predictor(path).to_dict() for path in paths]


def _environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_the_public_surface_type_checks_strictly(tmp_path):
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "tests/typed_calls.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def unsplit(tmp_path, phantom_folder):
    """A folder {class}/* of phantoms without splits."""
    folder = tmp_path / "hospital"
    for sample in spinealign.load_cohort(phantom_folder):
        (folder / sample.label).mkdir(parents=True, exist_ok=True)
        shutil.copy(sample.image, folder / sample.label)
    return folder


@pytest.mark.slow
def test_a_model_of_a_split_cohort_is_scored_on_its_test_part(tmp_path, unsplit, tiny_backbone):
    cohort = spinealign.load_cohort(unsplit, split="source", seed=5)
    options = {**training_options(tiny_backbone), "num_train_epochs": 1}
    result = spinealign.train(cohort, tmp_path / "out", **options)
    scored = spinealign.evaluate(result.folder, unsplit)
    assert set(scored.predictions.names) == {sample.name for sample in cohort.part("test")}
    assert scored == result.evaluations[0]
    settings = json.loads((result.folder / "spinealign.json").read_text())
    assert (settings["split"], settings["seed"]) == ("source", 5)
    assert "--split source" in (result.folder / "README.md").read_text()
    part = spinealign.evaluate(result.folder, cohort.part("train"), split="train")
    assert part.images == len(cohort.part("train")), "the splits of a cohort are kept"


def test_samples_with_the_same_name_are_refused(phantom_folder, tiny_checkpoint):
    cohort = spinealign.load_cohort(phantom_folder)
    doubled = replace(cohort, samples=cohort.samples + cohort.samples[:1])
    with pytest.raises(CohortError, match="2 samples have the name"):
        spinealign.evaluate(tiny_checkpoint, doubled)


def test_an_impossible_training_is_refused_at_once(tmp_path, phantom_folder):
    cohort = spinealign.load_cohort(phantom_folder)
    with pytest.raises(TypeError, match="pass it to load_cohort"):
        spinealign.train(cohort, tmp_path / "out", source_pattern="x")
    with pytest.raises(ValueError, match="data is empty"):
        spinealign.train([], tmp_path / "out")
    with pytest.raises(TypeError, match="args must be a TrainingArguments"):
        spinealign.train(phantom_folder, args={"learning_rate": 1})
    with pytest.raises(TypeError, match="from_scratch must be bool"):
        spinealign.train(phantom_folder, tmp_path / "out", from_scratch="False")
    with pytest.raises(ValueError, match="prediction_loss_only"):
        spinealign.train(phantom_folder, tmp_path / "out", prediction_loss_only=True)
    assert not (tmp_path / "out").exists()


def test_the_recorded_command_of_ready_arguments_parses(tmp_path):
    from spinealign.training.describing import command_line
    from spinealign.training.setup import make_setup, parse_training_setup

    args = TrainingArguments(str(tmp_path), load_best_model_at_end=False, save_total_limit=None, num_train_epochs=1)
    setup = make_setup("a", args=args, window_center=-50.0)
    assert "--num_train_epochs 1 --learning_rate 5e-05" in command_line(setup)
    words = shlex.split(command_line(setup))[2:]
    assert parse_training_setup(words).enhancement.window_center == -50.0


def test_an_unknown_setting_of_a_file_is_refused(tmp_path):
    from spinealign.training.setup import parse_training_setup

    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"data_di": "a"}))
    with pytest.raises(ValueError, match="Did you mean 'data_dir'"):
        parse_training_setup([str(path)])


@pytest.mark.parametrize("error", [LeakageError([("a", ("train", "val"))]), MissingDependencyError("torch", "train")])
def test_errors_can_be_pickled(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (type(error), str(error))


def test_reprs_are_short(tiny_checkpoint, findings):
    predictor = spinealign.Predictor.from_pretrained(tiny_checkpoint)
    image = np.zeros((200, 200), np.uint8)
    scored = predictor.checkpoint.record.evaluations[0]
    for value in (
        predictor,
        predictor(image),
        predictor.explain(image),
        spinealign.read_slice(image),
        findings,
        scored,
    ):
        assert len(repr(value)) < 600, repr(value)[:1000]
