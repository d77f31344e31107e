from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import evaluate_finding, evaluate_kind, predictions_of_finding
from PIL import Image

from spinealign.metrics.evidence import Evidence
from spinealign.reporting.figures import LABELS_SHOWN, plot_evaluation, plot_learning_curves, plot_sensitivity_by_size

ROW = {
    "epoch": 1.0, "eval_loss": 0.5, "eval_accuracy": 0.9, "eval_auroc": 0.95, "eval_sensitivity": 0.9,
    "eval_specificity": 0.9, "eval_accuracy_low": 0.7, "eval_accuracy_high": 0.97, "eval_sources": 20,
}  # fmt: skip
POSITIVE = np.arange(12) % 3 == 0
PROBABILITY = np.clip(0.5 * POSITIVE + np.linspace(0, 0.6, 12), 0, 1)


def evaluation(positive, probability, threshold=0.5, ridge_called=None):
    sources = tuple(f"s{number // 2}" for number in range(len(positive)))
    ridge = None if ridge_called is None else [ridge_called.astype(int)]
    evidence = Evidence("set", "val", sources, ridge=ridge)
    scored = evaluate_finding(positive, probability, evidence=evidence, threshold=threshold, draws=50)
    return predictions_of_finding(scored, positive, probability, sources)


def drawn(path, *evaluations):
    plot_evaluation(evaluations, path)
    return np.asarray(Image.open(path).convert("L"))


def test_the_roc_shows_operating_point_and_baseline(tmp_path):
    pictures = [
        drawn(tmp_path / f"{number}.png", evaluation(POSITIVE, PROBABILITY, threshold, ridge))
        for number, (threshold, ridge) in enumerate([(0.5, None), (0.9, None), (0.5, ~POSITIVE)])
    ]
    assert pictures[0].shape == pictures[1].shape == pictures[2].shape
    roc = [picture[60:, : picture.shape[1] // 4] for picture in pictures]  # below the caption
    assert not np.array_equal(roc[0], roc[1])
    assert not np.array_equal(roc[0], roc[2])


def test_each_evaluation_has_its_rows(tmp_path):
    one = drawn(tmp_path / "one.png", evaluation(POSITIVE, PROBABILITY))
    two = drawn(tmp_path / "two.png", evaluation(POSITIVE, PROBABILITY), evaluation(POSITIVE, 1 - PROBABILITY))
    assert two.shape[0] == pytest.approx(2 * one.shape[0], abs=2)
    assert two.shape[1] == one.shape[1]


@pytest.mark.parametrize(
    ("positive", "probability"),
    [
        (np.ones(6, bool), np.linspace(0, 1, 6)),
        (np.zeros(1, bool), np.zeros(1)),
        (POSITIVE, POSITIVE * 1.0),
        (POSITIVE, np.full(12, 0.5)),
    ],
    ids=["one class", "one image", "perfect", "one probability"],
)
def test_few_or_extreme_images_are_drawn_without_warning(tmp_path, positive, probability):
    assert drawn(tmp_path / "picture.png", evaluation(positive, probability)).std() > 5


def test_an_evaluation_without_predictions_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"set \(val\) has no predictions"):
        plot_evaluation([replace(evaluation(POSITIVE, PROBABILITY), predictions=None)], tmp_path / "picture.png")


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
        evaluate_finding(positive, positive * 0.9, evidence=Evidence(name, "val", range(8), size_mm=size), draws=20)
        for name, size in (("with", sizes), ("without", None))
    ]
    plot_sensitivity_by_size(evaluations[1:], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    plot_sensitivity_by_size(evaluations, tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.width < 6.5 * 130, "one plot"


@pytest.mark.parametrize("kind", ["multi_class", "ordinal"])
def test_every_kind_of_one_label_has_four_panels(kind, tmp_path):
    _, measured = evaluate_kind(kind)
    assert (
        drawn(tmp_path / "kind.png", measured).shape
        == drawn(tmp_path / "two.png", evaluation(POSITIVE, PROBABILITY)).shape
    )


@pytest.mark.slow
def test_several_labels_have_a_row_each_below_an_overview(tmp_path):
    heights = [
        drawn(tmp_path / "labels.png", evaluate_kind(kind, labels=labels)[1]).shape[0]
        for kind, labels in (("mixed", 3), ("multi_label", 1), ("multi_label", LABELS_SHOWN + 1))
    ]
    assert heights[1] < heights[0]
    assert heights[2] < (LABELS_SHOWN + 1) * heights[1]


def test_learning_curves_of_grades_show_their_scores(tmp_path):
    row = {name: value for name, value in ROW.items() if name not in ("eval_auroc", "eval_sensitivity")}
    pictures = []
    for kappa in (0.2, 0.9):
        history = [{**row, "eval_thumbnail_ridge": 0.3, "eval_quadratic_kappa": kappa, "eval_mean_absolute_error": 1.4}]
        plot_learning_curves(history, tmp_path / "curves.png")
        pictures.append(np.asarray(Image.open(tmp_path / "curves.png")))
    assert not np.array_equal(*pictures)


def test_learning_curves_need_no_evaluation(tmp_path):
    plot_learning_curves([{"epoch": 1.0, "loss": 0.5}], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").is_file()
