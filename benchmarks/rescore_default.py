"""Score the embedded model again and rewrite its metrics, figures and card, without training.

    make default-card

For changes of intervals, figures or the card. Scores that differ from the stored ones are an error.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from math import inf
from pathlib import Path

from spinealign.checkpoint.files import CARD_FILE, EVALUATION_PLOT, METRICS_FILE, SIZE_CURVE
from spinealign.checkpoint.finding import DEFAULT_FOLDER, find_checkpoint
from spinealign.checkpoint.record import ModelRecord
from spinealign.evaluation.evaluating import evaluate
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.shortcut import Baseline
from spinealign.reporting.figures import plot_evaluation, plot_sensitivity_by_size
from spinealign.reporting.model_card import render_card

TOLERANCE = 1e-6
RIDGE_TOLERANCE = 0.01  # it is trained again, and other processors decide a few images near its threshold differently


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path, help="the training collections, in the order of the training")
    options = parser.parse_args()
    record = ModelRecord.from_dict(json.loads((DEFAULT_FOLDER / METRICS_FILE).read_text(encoding="utf-8")))
    # The record describes the evaluation of the training itself, which has no overlap to report.
    evaluations = tuple(replace(evaluate(None, data), training_overlap=None) for data in options.data)
    for stored, found in zip(record.evaluations, evaluations, strict=True):
        difference = _difference(stored, found)
        of_ridge = _difference(stored.thumbnail_ridge, found.thumbnail_ridge)
        print(
            f"{found.collection} ({found.split}): differences {difference:.1e}, of the thumbnail ridge {of_ridge:.1e}"
        )
        if difference > TOLERANCE or of_ridge > RIDGE_TOLERANCE:
            raise SystemExit("The scores have changed; nothing was written.")
    record = replace(record, evaluations=evaluations)
    content = json.dumps(record.to_dict(), indent=2, allow_nan=False)
    (DEFAULT_FOLDER / METRICS_FILE).write_text(content + "\n", encoding="utf-8")
    plot_evaluation(evaluations, DEFAULT_FOLDER / EVALUATION_PLOT)
    plot_sensitivity_by_size(evaluations, DEFAULT_FOLDER / SIZE_CURVE)
    card = render_card(record, find_checkpoint().settings)
    (DEFAULT_FOLDER / CARD_FILE).write_text(card, encoding="utf-8")


def _difference(stored: Evaluation | Baseline | None, found: Evaluation | Baseline | None) -> float:
    """Return the largest difference of a score."""
    if stored is None or found is None:
        return 0.0 if stored is found else inf
    return max(abs((value or 0.0) - (found.scores[name] or 0.0)) for name, value in stored.scores.items())


if __name__ == "__main__":
    main()
