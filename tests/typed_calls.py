"""Calls of the public names that must type-check under `mypy --strict`; this module is never run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import spinealign
from spinealign import Evaluation, HeatMap, Prediction, Predictor, Slice, SpineAlignError
from spinealign.errors import ImageError
from spinealign.evaluation.films import FilmEvaluation


def check_predictor(
    texts: list[str],
    paths: list[Path],
    mixed: tuple[str, Path],
    arrays: list[NDArray[np.uint8]],
    slices: tuple[Slice, ...],
    picture: Image.Image,
    stream: IO[bytes],
) -> None:
    predictor = Predictor.from_pretrained("you/model", revision="main", token=None, cache_dir=Path("cache"))
    many: list[list[Prediction | ImageError]] = [predictor(texts), predictor(paths), predictor(mixed)]
    many += [predictor(slices), predictor(arrays), predictor(iter(paths)), spinealign.predict(mixed, "you/model")]
    one: list[Prediction] = [predictor(texts[0]), predictor(paths[0]), predictor(b""), predictor(arrays[0])]
    one += [predictor(slices[0]), predictor(picture), predictor(stream), spinealign.predict("a.png")]
    raising: Iterator[Prediction] = predictor.predict_many(iter(paths), errors="raise", explain=True)
    returning: Iterator[Prediction | ImageError] = predictor.predict_many(texts)
    predictor(3)  # type: ignore[call-overload]
    predictor.predict_many(texts, errors="ignore")  # type: ignore[call-overload]
    predictor.predict_many([3])  # type: ignore[list-item]
    del many, one, raising, returning


def check_functions(predictor: Predictor) -> None:
    heat: HeatMap = predictor.explain("a.png")
    heat.save("heat.png")
    evaluation: Evaluation = spinealign.evaluate("you/model", "folder")
    score: float | None = evaluation.scores["accuracy"]
    evaluation.save_plots(Path("evaluation.png"))
    spinealign.audit("folder").save_html("audit.html")
    labels: list[str | None] = [sample.label for sample in spinealign.load_cohort("folder", split="source")]
    results: tuple[Evaluation, ...] = spinealign.train("folder", "out", num_train_epochs=1).evaluations
    films: tuple[FilmEvaluation, ...] = spinealign.train("folder", "out", task="vertebrae").evaluations
    spinealign.push_to_hub("out", "you/model")
    image: Slice = spinealign.read_slice("a.png")
    error: type[Exception] = SpineAlignError
    del score, labels, results, films, image, error
