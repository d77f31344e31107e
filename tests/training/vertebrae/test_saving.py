"""A saved checkpoint that finds vertebrae: its files, card and push."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from huggingface_hub import HfApi, ModelCard
from transformers import TrainingArguments

from spinealign import Aligner, Predictor
from spinealign.alignment.drawn_films import write_frontal_spines
from spinealign.alignment.measuring import AASCE, ENDPLATE
from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.files import NEEDED
from spinealign.cohort.landmarks.loading import load_films
from spinealign.errors import CheckpointError
from spinealign.evaluation.measured_film import MeasuredFilm
from spinealign.hub.checks import check_checkpoint
from spinealign.hub.pushing import push_to_hub
from spinealign.reporting.model_card import render_card
from spinealign.training.describing import vertebra_command
from spinealign.training.vertebrae.arguments import DEFAULTS, VertebraArguments, VertebraModelArguments, VertebraSetup
from spinealign.training.vertebrae.cross_validation import FoldPredictions
from spinealign.training.vertebrae.saving import fit_settings, save_vertebra_checkpoint

HISTORY = [{"epoch": 1.0, "loss": 3.0}, {"epoch": 2.0, "loss": 2.0}]


def make_setup(folder, data):
    return VertebraSetup(
        VertebraArguments([str(data)], background_dir=["/somewhere/else"]),
        VertebraModelArguments(coarse_height=256, input_height=256),
        TrainingArguments(output_dir=str(folder), num_train_epochs=2, seed=3, report_to="none"),
    )


def held_out(count=60):
    rng = np.random.default_rng(0)
    rows = []
    for number, (error, peak) in enumerate(zip(rng.normal(scale=3, size=count), np.linspace(0.5, 0.9, count))):
        reference = dict.fromkeys((*ENDPLATE, *AASCE), 30.0)
        found = {name: value + float(error) for name, value in reference.items()}
        values = (found, found, reference, 0.1)
        rows.append(MeasuredFilm(f"{number}.png", "train", str(number), 17, float(peak), *values, fold=number % 3))
    return tuple(rows)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films") / "drawn"
    write_frontal_spines(folder, {"train": 3, "test": 2}, height=256)
    return folder


def test_intervals_and_limits_come_from_held_out_films(films, tmp_path):
    settings = fit_settings(make_setup(tmp_path, films), [load_films(films)], held_out=held_out())
    assert settings.shapes == ((256, 64), (256, 64))
    assert set(settings.intervals) == {*ENDPLATE, *AASCE}
    assert settings.min_peak == pytest.approx(0.508, abs=0.001), "2 % of the held-out films are below"
    without = fit_settings(make_setup(tmp_path, films), [load_films(films)], held_out=())
    assert (without.intervals, without.min_peak) == ({}, 0.0)


def test_the_command_names_no_folder_of_the_machine(films, tmp_path):
    command = vertebra_command(make_setup(tmp_path, films), DEFAULTS)
    assert command.startswith("spinealign train --task vertebrae --data_dir drawn --background_dir else")
    assert "--num_train_epochs 2" in command
    assert "--input_height 256" in command
    assert str(tmp_path) not in command


@pytest.fixture(scope="module")
def checkpoint(films, tmp_path_factory):
    from spinealign.networks.vertebrae import VertebraConfig, VertebraNetwork

    folder = tmp_path_factory.mktemp("models") / "xray"
    setup, rows = make_setup(folder, films), held_out()
    network = VertebraNetwork(VertebraConfig(width=0.125))
    predictions = FoldPredictions(rows, 3, 1.0, 3, code="", data="")
    cohorts = [load_films(films)]
    save_vertebra_checkpoint(folder, setup, network=network, history=HISTORY, cohorts=cohorts, predictions=predictions)
    return folder


@pytest.mark.slow
def test_a_saved_checkpoint_is_complete_and_measures(checkpoint, films):
    assert {path.name for path in checkpoint.iterdir() if path.is_file()} == {
        *NEEDED["vertebrae"], "evaluation.png", "learning_curves.png",
    }  # fmt: skip
    check_checkpoint(checkpoint)
    record, settings = Checkpoint(checkpoint, "xray").vertebra_record, Checkpoint(checkpoint, "xray").vertebra_settings
    assert [(item.part, item.films) for item in record.evaluations] == [("official", 2), ("cross-validation", 60)]
    card = (checkpoint / "README.md").read_text()
    assert card == render_card(record, settings)
    film = next((films / "test").iterdir())
    onnx, torch = (Aligner.from_pretrained(checkpoint, engine=engine).measure(film) for engine in ("onnx", "torch"))
    assert onnx.accepted == torch.accepted


@pytest.mark.slow
def test_each_loader_names_the_other_one(checkpoint, tiny_checkpoint):
    with pytest.raises(CheckpointError, match="finds vertebrae and does not classify"):
        Predictor.from_pretrained(checkpoint)
    with pytest.raises(CheckpointError, match="does not find vertebrae"):
        Aligner.from_pretrained(tiny_checkpoint)


def without(name):
    return lambda folder: (folder / name).unlink()


def other_score(folder):
    card = folder / "README.md"
    card.write_text(card.read_text().replace("type: smape\n      value: ", "type: smape\n      value: 1"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without("refiner.onnx"), r"refiner\.onnx"),
        (without("model.safetensors"), r"has no model\.safetensors"),
        (other_score, r"lacks the smape on drawn \(official\)"),
    ],
    ids=["no refiner", "no torch weights", "another score"],
)
def test_an_incomplete_checkpoint_is_refused(checkpoint, tmp_path, spoil, words):
    folder = shutil.copytree(checkpoint, tmp_path / "model")
    spoil(folder)
    with pytest.raises(CheckpointError, match=words):
        check_checkpoint(folder)


@pytest.mark.slow
def test_a_pushed_model_measures_by_its_id(local_hub, checkpoint, films):
    repo_id = local_hub.new_id()
    commit = push_to_hub(checkpoint, repo_id, private=True)
    api = HfApi(token=local_hub.token, endpoint=local_hub.endpoint)
    assert set(api.list_repo_files(repo_id)) == {path.name for path in checkpoint.iterdir()} | {".gitattributes"}
    card = ModelCard.load(repo_id, token=local_hub.token)
    assert card.data.pipeline_tag == "keypoint-detection"
    assert f'model="{repo_id}"' in card.text
    film = next((films / "test").iterdir())
    expected, found = (Aligner.from_pretrained(name).measure(film) for name in (checkpoint, repo_id))
    assert found.model == f"{repo_id}@{commit.oid}"
    assert found.measures == expected.measures
