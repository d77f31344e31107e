"""Training for any task."""

from __future__ import annotations

from spinealign.training.pipeline import TrainingResult, run_training
from spinealign.training.setup import TrainingSetup
from spinealign.training.vertebrae.arguments import VertebraSetup
from spinealign.training.vertebrae.pipeline import VertebraTrainingResult, run_vertebra_training


def run(setup: TrainingSetup | VertebraSetup) -> TrainingResult | VertebraTrainingResult:
    """Run the training of a setup; see `run_training` and `run_vertebra_training`."""
    return run_training(setup) if isinstance(setup, TrainingSetup) else run_vertebra_training(setup)
