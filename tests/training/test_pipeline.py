from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, training_words
from PIL import Image
from safetensors.torch import load_file
from transformers import TrainerCallback

from spinealign import Predictor, read_slice
from spinealign.checkpoint.engines import OnnxEngine
from spinealign.checkpoint.finding import find_checkpoint
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import read_cohort
from spinealign.config import PreprocessingConfig
from spinealign.errors import CohortError, LeakageError
from spinealign.evaluation.scoring import score
from spinealign.imaging.preprocessing import preprocess, render
from spinealign.labels import binary_target
from spinealign.metrics.scores import scores_of
from spinealign.metrics.weighted import WeightedPredictions
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.training import pipeline
from spinealign.training.arguments import ModelArguments
from spinealign.training.backbone import create_backbone
from spinealign.training.loading import index_collections, read_collections
from spinealign.training.pipeline import run_training
from spinealign.training.setup import make_setup, parse_training_setup
from spinealign.training.trainer import build_trainer

TARGET = binary_target("normal", "fracture")

FILES = {
    "config.json", "model.safetensors", "preprocessor_config.json", "spinealign.json", "model.onnx", "metrics.json",
    "README.md", "learning_curves.png", "sensitivity_by_size.png", "evaluation.png", "novelty.safetensors",
    "training_images.safetensors",
}  # fmt: skip


def test_a_training_writes_a_checkpoint_without_pickles(tiny_checkpoint):
    assert {path.name for path in tiny_checkpoint.iterdir() if path.is_file()} == FILES
    left = {path.suffix for path in tiny_checkpoint.rglob("*") if path.is_file()}
    assert not left & {".bin", ".pt", ".pth", ".pkl"}
    logs = tiny_checkpoint.with_name(f"{tiny_checkpoint.name}-logs")
    assert list(logs.rglob("events.out.tfevents.*")), "TensorBoard logs"
    assert not (tiny_checkpoint / "training").exists(), "the logs name the machine"
    assert json.loads((tiny_checkpoint / "config.json").read_text())["id2label"] == {"0": "normal", "1": "fracture"}


def test_epoch_scores_have_sources_interval_and_baseline(tiny_checkpoint):
    epochs = json.loads((tiny_checkpoint / "metrics.json").read_text())["training"]["history"]
    assert len(epochs) == 2
    for row in epochs:
        assert row["eval_sources"] == 8
        assert row["eval_accuracy_low"] <= row["eval_accuracy"] <= row["eval_accuracy_high"]
        assert 0 <= row["eval_thumbnail_ridge"] <= 1


def read(setup, config):
    folder = Path(setup.training.output_dir) / "images"
    cohorts, target = index_collections(setup)
    return read_collections(setup, cohorts, target=target, preprocessing=config, folder=folder)[0]


def trainer_of(setup, network, config):
    collections = read(setup, config)
    train, validation = ([item.part(split) for item in collections] for split in ("train", "val"))
    return build_trainer(setup, network, target=TARGET, train=train, validation=validation)


class Snapshots(TrainerCallback):
    """Copies of the weights of every epoch, in memory."""

    def __init__(self):
        self.weights = {}

    def on_save(self, args, state, control, model, **kwargs):
        self.weights[f"checkpoint-{state.global_step}"] = {
            name: value.detach().clone() for name, value in model.state_dict().items()
        }


def test_every_tensor_of_the_best_epoch_is_restored(tmp_path, phantom_folder, tiny_backbone):
    # The "best" epoch has the highest loss, so it is not the last one.
    words = training_words(
        phantom_folder, tiny_backbone, tmp_path / "run", "--num_train_epochs", "3", "--learning_rate", "1e-3",
        "--greater_is_better", "True", "--save_total_limit", "3",
    )  # fmt: skip
    setup = parse_training_setup(words)
    network, config = create_backbone(ModelArguments(str(tiny_backbone), from_scratch=True), TARGET)
    trainer = trainer_of(setup, network, config)
    snapshots = Snapshots()
    trainer.add_callback(snapshots)
    trainer.train()
    best, last = Path(trainer.state.best_model_checkpoint).name, f"checkpoint-{trainer.state.global_step}"
    assert best != last
    restored = network.state_dict()
    assert restored.keys() == snapshots.weights[best].keys()
    for name, value in snapshots.weights[best].items():
        torch.testing.assert_close(restored[name], value, rtol=0, atol=0)
    assert any(not torch.equal(restored[name], value) for name, value in snapshots.weights[last].items())


def test_predictor_and_trainer_evaluate_files_equally(tiny_checkpoint, phantom_folder):
    predictor = Predictor.from_pretrained(tiny_checkpoint)
    part = index_cohort(phantom_folder).part("val")
    probability = np.array([predictor(sample.image).probabilities["fracture"] for sample in part])
    epochs = json.loads((tiny_checkpoint / "metrics.json").read_text())["training"]["history"]
    best = min(epochs, key=lambda row: row["eval_loss"])
    positive = np.array([sample.label == "fracture" for sample in part])
    scores = scores_of(WeightedPredictions.binary(positive, probability))
    for name in ("accuracy", "sensitivity", "specificity", "auroc"):
        assert scores[name] == pytest.approx(best[f"eval_{name}"], abs=1e-9), name
    loss = -np.log(np.where(positive, probability, 1 - probability)).mean()
    assert loss == pytest.approx(best["eval_loss"], abs=1e-4)
    loaded = read_cohort(part, predictor.preprocessing, progress=False)
    scored = score(predictor, loaded, split="val").predictions.probabilities[:, 1]
    np.testing.assert_allclose(scored, probability, atol=1e-5)


@pytest.mark.parametrize("which", ["tiny", "embedded"])
def test_transformers_gives_the_uncalibrated_probabilities(which, tiny_checkpoint, phantom_folder, tmp_path):
    from transformers import pipeline

    folder = tiny_checkpoint
    if which == "embedded":  # its weights for torch are not in the package
        folder = shutil.copytree(find_checkpoint().folder, tmp_path / "embedded")
        shutil.copy(ROOT / "models" / "default" / "model.safetensors", folder)
    classify = pipeline("image-classification", model=str(folder))
    predictor = Predictor.from_pretrained(folder)
    for path in sorted((phantom_folder / "test").iterdir())[:4]:
        theirs = {row["label"]: row["score"] for row in classify(str(path))}
        logits = predictor.run(preprocess(read_slice(path), predictor.preprocessing)[None]).logits[0]
        raw = np.exp(logits) / np.exp(logits).sum()
        assert theirs == pytest.approx(dict(zip(predictor.labels, raw.tolist())), abs=0.01)


def run_train(words, *, launcher=(sys.executable,)):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [*launcher, str(ROOT / "train.py"), *words],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


KILLED = """
import os, signal, sys
from transformers import TrainerCallback
from spinealign.cli import main
from spinealign.training import pipeline

class Kill(TrainerCallback):
    def on_epoch_begin(self, args, state, control, **kwargs):
        if state.epoch >= 2:
            os.kill(os.getpid(), signal.SIGKILL)

def build_trainer(*arguments, **options):
    trainer = original(*arguments, **options)
    trainer.add_callback(Kill())
    return trainer

original, pipeline.build_trainer = pipeline.build_trainer, build_trainer
main(["train", *sys.argv[1:]])
"""


@pytest.mark.slow
def test_a_resumed_run_has_the_weights_of_an_uninterrupted_one(tmp_path, phantom_folder, tiny_backbone):
    backbone = shutil.copytree(tiny_backbone, tmp_path / "backbone")
    config = json.loads((backbone / "config.json").read_text())
    (backbone / "config.json").write_text(json.dumps({**config, "hidden_dropout_prob": 0.2}))

    def words(name, *more):
        return training_words(phantom_folder, backbone, tmp_path / name, "--num_train_epochs", "4", *more)

    done = subprocess.run([sys.executable, "-c", KILLED, *words("killed")], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "killed" / "training" / "checkpoint-6" / "trainer_state.json").is_file()
    workers = ("--dataloader_num_workers", "1", "--dataloader_persistent_workers", "True")
    assert run_training(parse_training_setup(words("killed", *workers))).resumed
    assert not run_training(parse_training_setup(words("straight"))).resumed
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("straight", "killed"))
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=1e-6)
    assert not list((tmp_path / "killed").rglob("*.pt"))


@pytest.mark.slow
def test_a_run_killed_while_saving_is_not_trained_further(tmp_path, phantom_folder, tiny_backbone, monkeypatch):
    words = training_words(
        phantom_folder, tiny_backbone, tmp_path / "out", "--num_train_epochs", "9", "--learning_rate", "1e-4",
        "--greater_is_better", "True", "--early_stopping_patience", "1",
    )  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "save_checkpoint", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_training(parse_training_setup(words))
    last = max((tmp_path / "out" / "training").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    history = json.loads((last / "trainer_state.json").read_text())["log_history"]
    run_training(parse_training_setup(words))
    epochs = json.loads((tmp_path / "out" / "metrics.json").read_text())["training"]["history"]
    assert len(epochs) == sum("eval_loss" in row for row in history) < 9


def interrupted(*arguments, **options):
    raise KeyboardInterrupt


class Interruption(TrainerCallback):
    """Interruption of a run after its second epoch."""

    def on_epoch_begin(self, args, state, control, **kwargs):
        if state.epoch >= 2:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_resumed_run_keeps_its_early_stopping_count(tmp_path, phantom_folder, tiny_backbone):
    def trainer_in(folder):
        # The highest loss is "best" and the loss decreases, so the run stops after three epochs.
        words = training_words(
            phantom_folder, tiny_backbone, folder, "--num_train_epochs", "9", "--learning_rate", "1e-4",
            "--greater_is_better", "True", "--early_stopping_patience", "2",
        )  # fmt: skip
        setup = parse_training_setup(words)
        torch.manual_seed(0)
        network, config = create_backbone(ModelArguments(str(tiny_backbone), from_scratch=True), TARGET)
        return trainer_of(setup, network, config)

    straight = trainer_in(tmp_path / "straight")
    straight.train()
    interrupted = trainer_in(tmp_path / "resumed")
    interrupted.add_callback(Interruption())
    with pytest.raises(KeyboardInterrupt):
        interrupted.train()
    resumed = trainer_in(tmp_path / "resumed")
    resumed.train(resume_from_checkpoint=True)
    assert 3 <= straight.state.epoch < 9
    assert resumed.state.epoch == straight.state.epoch


@pytest.mark.slow
def test_two_processes_train_together(tmp_path, phantom_folder, tiny_backbone):
    launcher = (sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
                "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
                "--num_cpu_threads_per_process", "1", "--main_process_port", "0")  # fmt: skip
    words = training_words(phantom_folder, tiny_backbone, tmp_path / "out", "--num_train_epochs", "2")
    process = run_train(words, launcher=launcher)
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said
    assert said.count("The checkpoint is in") == 1
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["training"]["processes"] == 2
    assert metrics["evaluations"][0]["images"] == 12
    assert Predictor.from_pretrained(tmp_path / "out").labels == ("normal", "fracture")


def leaking(folder):
    names = (
        "train/fracture/CSFDV1B1 (1)-rotated1", "train/fracture/CSFDV1B1 (2)", "train/normal/b",
        "val/fracture/CSFDV1B1 (1)", "val/normal/b",
    )  # fmt: skip
    for seed, name in enumerate(names):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(render(draw_phantom(7_500_000 + seed, size=96).slice)).save(path)
    return folder


def test_a_visually_similar_copy_is_refused_with_the_pair(tmp_path):
    data = tmp_path / "set"
    leaking(data)
    (data / "val" / "fracture" / "CSFDV1B1 (1).png").unlink()
    with Image.open(data / "train" / "fracture" / "CSFDV1B1 (2).png") as image:
        image.rotate(33, Image.Resampling.BICUBIC).resize((128, 128)).save(data / "val" / "fracture" / "x7.png")
    with pytest.raises(LeakageError) as caught:
        read(make_setup(data, tmp_path / "out", on_leakage="error"), PreprocessingConfig(image_size=64))
    ((pair, splits),) = caught.value.pairs
    assert splits == ("train", "val")
    assert "CSFDV1B1 (2)" in pair
    assert "val/fracture/x7.png" in pair


def test_leakage_is_refused_with_its_pairs_if_requested(tmp_path):
    setup = make_setup(leaking(tmp_path / "set"), tmp_path / "out", on_leakage="error")
    with pytest.raises(LeakageError) as caught:
        read(setup, PreprocessingConfig(image_size=64))
    assert caught.value.pairs == [("CSFDV1B1 (1)", ("train", "val"))]


@pytest.mark.slow
def test_the_card_describes_leakage_and_names_no_file(tmp_path, tiny_backbone):
    data = leaking(tmp_path / "set")
    for policy, words in (("keep", "Leakage was kept"), ("drop", "is in a later split too: 1.")):
        output = tmp_path / policy
        more = ("--num_train_epochs", "1", "--on_leakage", policy)
        run_training(parse_training_setup(training_words(data, tiny_backbone, output, *more)))
        assert words in (output / "README.md").read_text()
        for file in ("README.md", "metrics.json", "spinealign.json"):
            assert "CSFDV1B1" not in (output / file).read_text()


def test_two_collections_with_the_same_name_are_refused(phantom_folder, tiny_backbone, tmp_path):
    words = training_words(phantom_folder, tiny_backbone, tmp_path / "out")
    words.insert(words.index("--data_dir") + 1, str(phantom_folder))
    with pytest.raises(CohortError, match="same name"):
        run_training(parse_training_setup(words))


def test_the_trainers_own_push_is_refused(phantom_folder, tiny_backbone, tmp_path):
    with pytest.raises(ValueError, match="pickles"):
        run_training(
            parse_training_setup(training_words(phantom_folder, tiny_backbone, tmp_path / "out", "--push_to_hub"))
        )


@pytest.mark.slow
def test_a_training_in_bfloat16_halves_the_files(tmp_path, phantom_folder, tiny_backbone, tiny_checkpoint, monkeypatch):
    loaded, load = [], OnnxEngine.__init__

    def counted(engine, checkpoint, *arguments, **options):
        loaded.append(checkpoint.folder)
        load(engine, checkpoint, *arguments, **options)

    monkeypatch.setattr(OnnxEngine, "__init__", counted)
    more = ("--num_train_epochs", "1", "--bf16", "True", "--weights_dtype", "bfloat16")
    run_training(parse_training_setup(training_words(phantom_folder, tiny_backbone, tmp_path / "out", *more)))
    assert len(loaded) == 1, "the decision and the evaluation share the engine"
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (tmp_path / "out", tiny_checkpoint)]
    assert sizes[0] < 0.6 * sizes[1]
    image = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    onnx, torch_engine = (Predictor.from_pretrained(tmp_path / "out", engine=name)(image) for name in ("onnx", "torch"))
    assert onnx.probabilities == pytest.approx(dict(torch_engine.probabilities), abs=1e-5)
