"""Event handlers of the page; each step yields the HTML to show next.

`chosen` is the name of the chosen model, as returned by `choose`; it is empty for the operator's model.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

from spinealign.errors import SpineAlignError
from spinealign.imaging.slice import Slice
from spinealign.inference.predictor import Predictor
from spinealign.page import answers, images, markup
from spinealign.page.about import describe_model
from spinealign.page.limits import VISITORS_KEPT
from spinealign.page.models import Models
from spinealign.page.uploads import Upload
from spinealign.reporting.html import escape

Shown: TypeAlias = tuple[str, str]  # HTML of the finding and of the viewer
Step = TypeVar("Step")


class Turns:
    """Latest image of each visitor; the steps of earlier images end early."""

    def __init__(self) -> None:
        self._latest: OrderedDict[str, object] = OrderedDict()

    def until_next(self, visitor: str, shown: Iterator[Step], *, nothing: Step) -> Iterator[Step]:
        """Yield the steps of an image until the same visitor sends another one.

        Args:
            visitor: Session of the visitor.
            shown: Steps to show.
            nothing: Step that leaves the page unchanged. It is yielded last, because Gradio shows the last step again
                at the end, possibly after the next image.
        """
        mine = self._latest[visitor] = object()
        self._latest.move_to_end(visitor)
        if len(self._latest) > VISITORS_KEPT:
            self._latest.popitem(last=False)
        for step in shown:
            if self._latest.get(visitor, mine) is not mine:
                break
            yield step
        yield nothing


def show(models: Models, read: Callable[[], Slice], *, chosen: str = "") -> Iterator[Shown]:
    """Classify one image and then explain it.

    Yields:
        HTML of the finding and of the viewer: first without, then with the heat map.
    """
    try:
        image, predictor = read(), models.get(chosen)  # read first, because reading deletes the upload
        yield from _steps(predictor, image)
    except SpineAlignError as error:
        yield markup.failure(str(error)), markup.EMPTY_VIEW


def _steps(predictor: Predictor, image: Slice) -> Iterator[Shown]:
    prediction = answers.answer(predictor, image)
    picture = images.shown_image(image, predictor)
    working = markup.WORKING.format("Computing the heat map")
    yield markup.finding(prediction, predictor, note=working), markup.view(picture)
    explained = predictor.explain(image, label=prediction.label)
    sheet = images.data_url(images.result_sheet(explained, prediction))
    yield (
        markup.finding(prediction, predictor, note=markup.downloads(prediction, sheet)),
        markup.view(picture, images.heat_image(explained.heat)),
    )


def show_batch(models: Models, uploads: list[Upload], *, chosen: str = "") -> Iterator[str]:
    """Classify several images and delete all uploads.

    Yields:
        HTML of the table after each file.
    """
    try:
        predictor = models.get(chosen)
        rows: list[answers.Row] = []
        for row in answers.answer_all(predictor, uploads):
            rows.append(row)
            yield markup.batch(rows, total=len(uploads))
        if not rows:
            yield markup.EMPTY_BATCH
    except SpineAlignError as error:
        for upload in uploads:
            upload.delete()
        yield markup.failure(str(error))


def choose(models: Models, name: str | None) -> tuple[str, str, str]:
    """Load the model that a visitor requests.

    Args:
        models: Available models.
        name: Hub id or folder as entered; empty for the operator's model.

    Returns:
        Name that the page keeps, HTML of the status message, and HTML of the model description.
    """
    try:
        predictor = models.load(name)
    except SpineAlignError as error:
        said = f"{escape(error)} Answers come from <code>{escape(models.own.checkpoint.name)}</code>."
        return "", f'<p class="sa-note" role="alert"><span>{said}</span></p>', describe_model(models.own)
    said = f"<span>Answers now come from <code>{escape(predictor.checkpoint.name)}</code>.</span>"
    kept = "" if predictor is models.own else predictor.model
    return kept, f'<p class="sa-note" role="status">{said}</p>', describe_model(predictor)
