from __future__ import annotations

import numpy as np
from PIL import Image

from spinealign.reporting.training_figures import plot_learning_curves

ROW = {
    "epoch": 1.0, "eval_loss": 0.5, "eval_accuracy": 0.9, "eval_auroc": 0.95, "eval_sensitivity": 0.9,
    "eval_specificity": 0.9, "eval_accuracy_low": 0.7, "eval_accuracy_high": 0.97, "eval_sources": 20,
}  # fmt: skip


def test_the_learning_curves_show_what_the_shortcut_reaches(tmp_path):
    for name, ridge in (("low", 0.2), ("high", 0.8)):
        plot_learning_curves(
            [{"epoch": 0.5, "loss": 0.7}, {**ROW, "eval_thumbnail_ridge": ridge}], tmp_path / f"{name}.png"
        )
    low, high = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("low", "high"))
    assert not np.array_equal(low, high)
