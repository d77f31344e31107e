"""Contact sheet of the images with the worst predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from spinealign.imaging.drawing import Tile, draw_sheet, save_picture
from spinealign.metrics.evaluation import Evaluation
from spinealign.metrics.failures import worst_cases

COLUMNS, SIDE = 5, 288
NAME_LENGTH, COLLECTION_LENGTH = 24, 17  # together the width of a tile


def draw_worst_cases(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Write a contact sheet of the twenty worst predictions of each evaluation, as PNG.

    Raises:
        ValueError: If an evaluation has no predictions.
    """
    cases = [case for item in evaluations for case in _cases(item)]
    tiles = [tile for tile, _ in cases]
    tiles += [Tile(np.full((1, 1), 255, np.uint8))] * (-len(tiles) % COLUMNS)
    right = sum(correct for _, correct in cases)
    sheet = draw_sheet(
        [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)],
        side=SIDE,
        heading=f"{len(cases) - right} wrong predictions, worst first, and {right} right ones, least certain first",
        footer="At most two images of one source. p is the predicted probability of the positive class.",
    )
    save_picture(sheet, path)


def _cases(evaluation: Evaluation) -> Iterator[tuple[Tile, bool]]:
    """Yield the tile of each case, and whether its prediction is right."""
    found, threshold = evaluation.require_predictions(), evaluation.threshold
    worst = worst_cases(found.positive, found.probability, sources=found.sources, threshold=threshold)
    for index in worst.tolist():
        probability = float(found.probability[index])
        right = bool((probability >= threshold) == found.positive[index])
        title = f"{found.labels[index]}, p = {probability:.3f}: {'right' if right else 'WRONG'}"
        name = Path(found.names[index]).name
        origin = f"{_short(name, NAME_LENGTH)}, {_short(evaluation.collection, COLLECTION_LENGTH)}"
        yield Tile(found.gray[index], title, origin), right


def _short(name: str, length: int) -> str:
    """Shorten a name in its second half: series and slice are at the beginning, the variant at the end."""
    tail = length // 3
    return name if len(name) <= length else f"{name[: length - tail - 1]}…{name[-tail:]}"
