"""Layout and events of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gradio

from spinealign.config import DISCLAIMER
from spinealign.inference.predictor import Predictor
from spinealign.page import handlers, markup
from spinealign.page.about import describe_model
from spinealign.page.blocks import Page
from spinealign.page.endpoints import LANE, add_endpoints
from spinealign.page.examples import Example, draw_examples
from spinealign.page.images import thumbnail
from spinealign.page.limits import (
    MAX_FILE_BYTES,
    MAX_FILES,
    PREDICTIONS_AT_ONCE,
    SECONDS_KEPT,
    SWEEP_SECONDS,
    WAITING_PREDICTIONS,
)
from spinealign.page.models import Models
from spinealign.page.uploads import Upload, slice_file
from spinealign.reporting.html import escape

KINDS = "PNG (8 or 16 bit), JPEG or DICOM"
HINT = '<p class="sa-quiet">{} Each file is deleted as soon as it has been read.</p>'
CONTROLS = """
<div class="sa-controls" role="group" aria-label="View">
<label for="sa-opacity">Heat map</label>
<input id="sa-opacity" type="range" min="0" max="100" value="75" aria-valuetext="75 %">
<span class="sa-zooms"><button type="button" data-zoom="out" aria-label="Zoom out">&minus;</button>
<button type="button" data-zoom="reset" aria-label="Reset the view">Reset</button>
<button type="button" data-zoom="in" aria-label="Zoom in">+</button></span></div>
<p class="sa-quiet">Bright areas influence the result most. The heat map is not an outline of a finding.</p>
"""
HEADER = (
    '<header class="sa-header"><h1>spinealign</h1><p>One slice of the spine at a time: what does the model find, and '
    'can it assess this image at all?</p><p class="sa-warning">{}</p></header>'
)


def build_page(predictor: Predictor, *, allow_models: bool) -> Page:
    """Build the page; see `spinealign.page.build_demo`."""
    models = Models(predictor, allow_others=allow_models)
    with Page(
        title="spinealign",
        analytics_enabled=False,
        delete_cache=(int(SWEEP_SECONDS), SECONDS_KEPT),  # for a page that is served without spinealign.page.launch
        fill_width=True,
    ) as page:
        chosen = gradio.Textbox(visible=False, label="Chosen model")  # in the page, because Gradio drops old sessions
        gradio.HTML(HEADER.format(DISCLAIMER))
        with gradio.Tabs():
            with gradio.Tab("One slice"):
                _add_single(models, chosen)
            with gradio.Tab("Many slices"):
                _add_batch(models, chosen)
            with gradio.Tab("The model"):
                _add_model(models, chosen, allow_models=allow_models)
        add_endpoints(predictor)
    page.queue(max_size=WAITING_PREDICTIONS, default_concurrency_limit=PREDICTIONS_AT_ONCE, api_open=False)
    return page


def _add_single(models: Models, chosen: gradio.Textbox) -> None:
    examples = draw_examples()
    with gradio.Row(elem_classes="sa-columns"):
        with gradio.Column(min_width=320):
            upload = slice_file(label="A slice", show_label=False, height=130, elem_id="sa-upload")
            gradio.HTML(HINT.format(f"{KINDS}, up to {MAX_FILE_BYTES // 1024**2} MiB. Drop, paste or choose a file."))
            buttons = _add_examples(examples, models.own)
            finding = gradio.HTML(markup.EMPTY_FINDING, elem_id="sa-finding")
        with gradio.Column(min_width=320):
            view = gradio.HTML(markup.EMPTY_VIEW, elem_id="sa-view")
            gradio.HTML(CONTROLS)

    turns = handlers.Turns()

    def _show_upload(upload: Upload | None, name: str, asked: gradio.Request) -> Iterator[tuple[Any, ...]]:
        if upload is not None:
            shown = handlers.show(models, upload.read, chosen=name)
            for step in turns.until_next(_visitor(asked), shown, nothing=(gradio.skip(), gradio.skip())):
                yield *step, None  # clear the box for the next file

    def showing(example: Example) -> Callable[[str, gradio.Request], Iterator[tuple[Any, ...]]]:
        def _show_example(name: str, asked: gradio.Request) -> Iterator[tuple[Any, ...]]:
            shown = handlers.show(models, lambda: example.slice, chosen=name)
            yield from turns.until_next(_visitor(asked), shown, nothing=(gradio.skip(), gradio.skip()))

        return _show_example

    events = {
        "api_visibility": "private",
        "concurrency_id": LANE,
        "show_progress": "minimal",
        "show_progress_on": finding,
        "trigger_mode": "multiple",  # accept an image while the heat map of the previous one is computed
    }
    upload.upload(_show_upload, [upload, chosen], [finding, view, upload], **events)
    for button, example in zip(buttons, examples):
        button.click(showing(example), chosen, [finding, view], **events)


def _visitor(asked: gradio.Request) -> str:
    return str(asked.session_hash)


def _add_examples(examples: tuple[Example, ...], predictor: Predictor) -> list[gradio.Button]:
    places = [f"sa-example-{number}" for number in range(len(examples))]
    pictures = "".join(
        f'#{place}::before{{background-image:url("{thumbnail(example.slice, predictor)}")}}'
        for place, example in zip(places, examples)
    )
    gradio.HTML(f"<style>{pictures}</style><h2 class='sa-small'>Or try a drawn example</h2>")
    with gradio.Row(elem_classes="sa-examples"):
        return [gradio.Button(example.name, size="sm", elem_id=place) for place, example in zip(places, examples)]


def _add_batch(models: Models, chosen: gradio.Textbox) -> None:
    upload = slice_file(label="Slices", show_label=False, several=True, height=130, elem_id="sa-uploads")
    gradio.HTML(
        HINT.format(f"Up to {MAX_FILES} files: {KINDS}. A file that cannot be used does not affect the others.")
    )
    table = gradio.HTML(markup.EMPTY_BATCH, elem_id="sa-batch")
    turns = handlers.Turns()

    def _show_uploads(uploads: list[Upload], name: str, asked: gradio.Request) -> Iterator[tuple[Any, None]]:
        shown = handlers.show_batch(models, uploads, chosen=name)
        for step in turns.until_next(_visitor(asked), shown, nothing=gradio.skip()):
            yield step, None

    upload.upload(
        _show_uploads,
        [upload, chosen],
        [table, upload],
        api_visibility="private",
        concurrency_id=LANE,
        show_progress="minimal",
        show_progress_on=table,
        trigger_mode="multiple",
    )


def _add_model(models: Models, chosen: gradio.Textbox, *, allow_models: bool) -> None:
    said = f'<p class="sa-note"><span>Answers come from <code>{escape(models.own.checkpoint.name)}</code>.</span></p>'
    if allow_models:
        with gradio.Row(equal_height=True):
            name = gradio.Textbox(
                label="Another model",
                info="Hub id (owner/name or owner/name@revision) or folder on the server",
                scale=4,
            )
            use = gradio.Button("Use it", scale=1)
    state = gradio.HTML(said, elem_id="sa-model")
    facts = gradio.HTML(describe_model(models.own))
    if allow_models:
        gradio.on(
            [use.click, name.submit],
            partial(handlers.choose, models),
            name,
            [chosen, state, facts],
            api_visibility="private",
        )
