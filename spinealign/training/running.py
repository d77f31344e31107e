"""Training for any task."""

from __future__ import annotations

from spinealign.training.pipeline import TrainingResult, run_training
from spinealign.training.sagittal.arguments import SagittalSetup
from spinealign.training.sagittal.pipeline import SagittalTrainingResult, run_sagittal_training
from spinealign.training.setup import AnySetup, TrainingSetup
from spinealign.training.vertebrae.pipeline import VertebraTrainingResult, run_vertebra_training


def run(setup: AnySetup) -> TrainingResult | VertebraTrainingResult | SagittalTrainingResult:
    """Run the training of a setup; see `run_training`, `run_vertebra_training` and `run_sagittal_training`."""
    if isinstance(setup, TrainingSetup):
        return run_training(setup)
    return run_sagittal_training(setup) if isinstance(setup, SagittalSetup) else run_vertebra_training(setup)
