from __future__ import annotations

import numpy as np
from PIL import Image

from spinealign.metrics.evaluation import Evaluation, Evidence
from spinealign.reporting.training_figures import plot_learning_curves, plot_sensitivity_by_size

ROW = {
    "epoch": 1.0, "eval_loss": 0.5, "eval_accuracy": 0.9, "eval_auroc": 0.95, "eval_sensitivity": 0.9,
    "eval_specificity": 0.9, "eval_accuracy_low": 0.7, "eval_accuracy_high": 0.97, "eval_sources": 20,
}  # fmt: skip


def test_learning_curves_show_the_baseline(tmp_path):
    for name, ridge in (("low", 0.2), ("high", 0.8)):
        plot_learning_curves(
            [{"epoch": 0.5, "loss": 0.7}, {**ROW, "eval_thumbnail_ridge": ridge}], tmp_path / f"{name}.png"
        )
    low, high = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("low", "high"))
    assert not np.array_equal(low, high)


def test_only_evaluations_with_sizes_are_plotted(tmp_path):
    positive = np.arange(8) % 2 == 0
    sizes = np.where(positive, 2.5, np.nan)
    evaluations = [
        Evaluation.of(positive, positive * 0.9, evidence=Evidence(name, "val", range(8), size_mm=size), draws=20)
        for name, size in (("with", sizes), ("without", None))
    ]
    plot_sensitivity_by_size(evaluations[1:], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    plot_sensitivity_by_size(evaluations, tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.width < 6.5 * 130, "one plot"
