"""Score the embedded model again and rewrite its metrics, figures and card, without training.

    make default-card

For changes of intervals, figures or the card. Scores that differ from the stored ones are an error.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from spinealign.checkpoint.files import CARD_FILE, EVALUATION_PLOT, METRICS_FILE, SIZE_CURVE
from spinealign.checkpoint.finding import DEFAULT_FOLDER, find_checkpoint
from spinealign.checkpoint.record import ModelRecord
from spinealign.evaluation.evaluating import evaluate
from spinealign.metrics.evaluation import Evaluation
from spinealign.reporting.figures import plot_evaluation, plot_sensitivity_by_size
from spinealign.reporting.model_card import render_card

TOLERANCE = 1e-6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path, help="the training collections, in the order of the training")
    options = parser.parse_args()
    record = ModelRecord.from_dict(json.loads((DEFAULT_FOLDER / METRICS_FILE).read_text(encoding="utf-8")))
    evaluations = tuple(evaluate(None, data) for data in options.data)
    for stored, found in zip(record.evaluations, evaluations, strict=True):
        difference = max(_differences(stored, found))
        print(f"{found.collection} ({found.split}): scores differ by at most {difference:.1e} from the stored ones")
        if difference > TOLERANCE:
            raise SystemExit("The scores have changed; nothing was written.")
    record = replace(record, evaluations=evaluations)
    content = json.dumps(record.to_dict(), indent=2, allow_nan=False)
    (DEFAULT_FOLDER / METRICS_FILE).write_text(content + "\n", encoding="utf-8")
    plot_evaluation(evaluations, DEFAULT_FOLDER / EVALUATION_PLOT)
    plot_sensitivity_by_size(evaluations, DEFAULT_FOLDER / SIZE_CURVE)
    card = render_card(record, find_checkpoint().settings)
    (DEFAULT_FOLDER / CARD_FILE).write_text(card, encoding="utf-8")


def _differences(stored: Evaluation, found: Evaluation) -> Iterator[float]:
    """Yield the differences of all scores of two evaluations, of their accepted images and of their baselines."""
    for old, new in ((stored, found), (stored.accepted, found.accepted)):
        if old and new:
            for before, after in ((old, new), (old.thumbnail_ridge, new.thumbnail_ridge)):
                for name, value in before.scores.items() if before and after else ():
                    yield abs((value or 0.0) - (after.scores[name] or 0.0))


if __name__ == "__main__":
    main()
