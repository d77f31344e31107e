"""What happens when a person gives an image: each step yields what the page shows next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

from spinealign.errors import SpineAlignError
from spinealign.imaging.slice import Slice
from spinealign.inference.predictor import Predictor
from spinealign.page import answers, images, markup
from spinealign.page.about import about
from spinealign.page.limits import PEOPLE_KEPT
from spinealign.page.models import Models
from spinealign.page.uploads import Upload
from spinealign.reporting.html import escape

Shown: TypeAlias = tuple[str, str]  # the markup of the finding and of the viewer
Step = TypeVar("Step")


class Turns:
    """Which of the images that a person gave is the latest: the answers to earlier ones end early."""

    def __init__(self) -> None:
        self._latest: OrderedDict[str, object] = OrderedDict()

    def until_next(self, person: str, shown: Iterator[Step], *, nothing: Step) -> Iterator[Step]:
        """Yield what is shown of an image until the person gives another one.

        Args:
            person: Somebody who looks at the page, by the name of the session.
            shown: What there is to show.
            nothing: What leaves the page as it is. It comes last, for Gradio shows the last step once more at the
                end, which may come after the next image.
        """
        mine = self._latest[person] = object()
        self._latest.move_to_end(person)
        if len(self._latest) > PEOPLE_KEPT:
            self._latest.popitem(last=False)
        for step in shown:
            if self._latest.get(person, mine) is not mine:
                break
            yield step
        yield nothing


def show(models: Models, read: Callable[[], Slice], *, chosen: str = "") -> Iterator[Shown]:
    """Answer one image: first the finding, then the heat map.

    Args:
        models: The models.
        read: Gives the image.
        chosen: The model that the person chose, by the name that `choose` gave; empty for the operator's.

    Yields:
        Markup of the finding and of the viewer.
    """
    try:
        image, predictor = read(), models.get(chosen)  # in this order: what is read is deleted
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
        for upload in uploads:
            upload.delete()
        yield markup.failure(str(error))


def choose(models: Models, name: str | None) -> tuple[str, str, str]:
    """Load the model that a person asks for.

    Returns:
        The name that the page keeps, markup that says what became of it, and what the model is.
    """
    try:
        predictor = models.load(name)
    except SpineAlignError as error:
        said = f"{escape(error)} Answers come from <code>{escape(models.own.checkpoint.name)}</code>."
        return "", f'<p class="sa-note" role="alert"><span>{said}</span></p>', about(models.own)
    said = f"<span>Answers now come from <code>{escape(predictor.checkpoint.name)}</code>.</span>"
    kept = "" if predictor is models.own else predictor.model
    return kept, f'<p class="sa-note" role="status">{said}</p>', about(predictor)
