from __future__ import annotations

import json

import pytest
from drawn_slices import drawn_series, drawn_slice
from transformers import TrainingArguments

from spinealign.training.fold_files import digest_of_code
from spinealign.training.sagittal.arguments import SagittalArguments, SagittalModelArguments, SagittalSetup
from spinealign.training.sagittal.cross_validation import CODE, SagittalFoldPredictions, cross_validate_slices

NAMES = [f"{kind}_{number:02d}_09" for kind in ("vb2", "vb3") for number in range(2)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a run of a cross-validation with its result."""
    run = tmp_path_factory.mktemp("run")
    return run, cross_validate(run)


def cross_validate(run):
    setup = SagittalSetup(
        SagittalArguments(["lumbar_mri"], folds=2, fold_epochs=1),
        SagittalModelArguments(width=0.25),
        TrainingArguments(
            output_dir=str(run / "output"), max_steps=2, report_to="none", use_cpu=True, disable_tqdm=True
        ),
    )
    slices = [drawn_slice(name=name) for name in NAMES]
    return cross_validate_slices(setup, slices, boxed=[drawn_series()], data="data", run=run)


@pytest.mark.slow
def test_each_patient_is_measured_once(trained):
    _, predictions = trained
    assert sorted(item.name for item in predictions.slices) == NAMES
    assert {item.fold for item in predictions.slices} == {0, 1}
    assert {picture.cut for picture in predictions.pictures} == {"", "S1", "L5-S1", "L5", "L4-L5"}
    (transfer,) = predictions.transfers.values()
    assert [item.name for item in transfer] == NAMES[:2]
    assert transfer[0].corners == ()


@pytest.mark.slow
def test_finished_parts_are_not_trained_again(trained):
    run, predictions = trained
    stored = json.loads((run / "fold-1.json").read_text())
    stored["slices"] = []
    (run / "fold-1.json").write_text(json.dumps(stored))
    (run / "fold-2.json").write_text((run / "fold-2.json").read_text().replace('"data": "data"', '"data": "other"'))
    again = cross_validate(run)
    assert {item.fold for item in again.slices} == {1}, "fold 1 was read, fold 2 is of other data"
    assert again.slices == tuple(item for item in predictions.slices if item.fold == 1)


def test_the_digest_changes_with_the_code_and_its_modules_exist():
    assert digest_of_code(CODE) != digest_of_code(CODE[1:])
    with pytest.raises(FileNotFoundError):
        digest_of_code(("no_module.py",))


def test_predictions_of_another_kind_are_refused(tmp_path):
    from spinealign.errors import CohortError

    (tmp_path / "folds.json").write_text('{"films": []}')
    with pytest.raises(CohortError, match="does not hold the predictions"):
        SagittalFoldPredictions.load(tmp_path / "folds.json")
