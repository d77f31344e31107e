"""Contact sheet of the images with the worst predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from spinealign.imaging.drawing import Tile, draw_sheet, save_picture
from spinealign.labels import SINGLE
from spinealign.metrics.evaluation import Evaluation

COLUMNS, SIDE = 5, 288
MOST = 60  # cases of all labels, if there are many
NAME_LENGTH, COLLECTION_LENGTH = 24, 17  # together the width of a tile
LABEL_LENGTH = 14


def draw_worst_cases(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Write a contact sheet of the worst predictions of each label of each evaluation, twenty of each of few, as PNG.

    Raises:
        ValueError: If an evaluation has no predictions.
    """
    labels = [label for item in evaluations for label in item.labels]
    count = min(20, max(COLUMNS, MOST // len(labels)))
    cases = [case for label in labels for case in _cases(label, count)]
    tiles = [tile for tile, _ in cases]
    tiles += [Tile(np.full((1, 1), 255, np.uint8))] * (-len(tiles) % COLUMNS)
    right = sum(correct for _, correct in cases)
    kinds = {label.kind for label in labels}
    of_class = ["positive class"] * ("binary" in kinds) + ["predicted class"] * bool(kinds - {"binary"})
    sheet = draw_sheet(
        [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)],
        side=SIDE,
        heading=f"{len(cases) - right} wrong predictions, worst first, and {right} right ones, least certain first",
        footer=f"At most two images of one source. p is the predicted probability of the {' or the '.join(of_class)}.",
    )
    save_picture(sheet, path)


def _cases(item: Evaluation, count: int) -> Iterator[tuple[Tile, bool]]:
    """Yield the tile of each case of a label, and whether its prediction is right."""
    found, binary = item.require_predictions(), item.kind == "binary"
    of_label = "" if item.label == SINGLE else f"{_short(item.label, LABEL_LENGTH)}: "
    for index, gray in islice(found.gray.items(), count):
        shown = item.classes.index(item.positive) if binary else found.called[index]
        probability = found.probabilities[index, shown]
        truth, called = (item.classes[codes[index]] for codes in (found.codes, found.called))
        right = truth == called
        predicted = "" if binary or right else f", called {_short(called, LABEL_LENGTH)}"
        verdict = "right" if right else "WRONG"
        title = f"{of_label}{_short(truth, LABEL_LENGTH)}{predicted}, p = {probability:.3f}: {verdict}"
        name = Path(found.names[index]).name
        origin = f"{_short(name, NAME_LENGTH)}, {_short(item.collection, COLLECTION_LENGTH)}"
        yield Tile(gray, title, origin), right


def _short(name: str, length: int) -> str:
    """Shorten a name in its second half: series and slice are at the beginning, the variant at the end."""
    tail = length // 3
    return name if len(name) <= length else f"{name[: length - tail - 1]}…{name[-tail:]}"
