"""What happens when a person gives an image: each step yields what the page shows next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from spinealign.errors import SpineAlignError
from spinealign.imaging.slice import Slice
from spinealign.inference.predictor import Predictor
from spinealign.page import answers, images, markup
from spinealign.page.about import about
from spinealign.page.models import Models, shown_name
from spinealign.page.uploads import Upload
from spinealign.reporting.html import escape

Shown: TypeAlias = tuple[str, str]  # the markup of the finding and of the viewer


def show(models: Models, read: Callable[[], Slice], *, chosen: str = "") -> Iterator[Shown]:
    """Answer one image: first the finding, then the heat map.

    Args:
        models: The models.
        read: Gives the image.
        chosen: The model that the person chose; empty for the operator's.

    Yields:
        Markup of the finding and of the viewer.
    """
    try:
        predictor, image = models.get(chosen), read()
        yield from _steps(predictor, image)
    except SpineAlignError as error:
        yield markup.failure(str(error)), markup.EMPTY_VIEW


def _steps(predictor: Predictor, image: Slice) -> Iterator[Shown]:
    prediction = answers.answer(predictor, image)
    picture = images.shown_image(image, predictor)
    working = markup.WORKING.format("Looking for what the answer rests on")
    yield markup.finding(prediction, predictor, note=working), markup.view(picture)
    explained = predictor.explain(image, label=prediction.label)
    sheet = images.data_url(images.result_sheet(explained, prediction))
    yield (
        markup.finding(prediction, predictor, note=markup.downloads(prediction, sheet)),
        markup.view(picture, images.heat_image(explained.heat)),
    )


def show_batch(models: Models, uploads: list[Upload], *, chosen: str = "") -> Iterator[str]:
    """Answer many images.

    Yields:
        Markup of the table, as far as it is.
    """
    try:
        predictor = models.get(chosen)
        rows: list[answers.Row] = []
        for row in answers.answer_all(predictor, uploads):
            rows.append(row)
            yield markup.batch(rows, predictor, total=len(uploads))
        if not rows:
            yield markup.EMPTY_BATCH
    except SpineAlignError as error:
        yield markup.failure(str(error))


def choose(models: Models, name: str) -> tuple[str, str, str]:
    """Load the model that a person asks for.

    Returns:
        The name that is kept, markup that says what became of it, and what the model is.
    """
    try:
        predictor = models.get(name)
    except (SpineAlignError, OSError) as error:
        return "", f'<p class="sa-note" role="alert">{escape(error)}</p>', about(models.own)
    said = f"Answers now come from <code>{escape(shown_name(predictor))}</code>."
    return name, f'<p class="sa-note" role="status">{said}</p>', about(predictor)
