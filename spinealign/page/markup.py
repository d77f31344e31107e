"""HTML of the results on the page; text from models and files is escaped here."""

from __future__ import annotations

import json
from collections.abc import Sequence

from PIL import Image

from spinealign.inference.prediction import Prediction
from spinealign.inference.predictor import Predictor
from spinealign.page.answers import Row
from spinealign.page.images import as_data_url, data_url
from spinealign.reporting.html import escape
from spinealign.reporting.prediction_text import predictions_csv

EMPTY_FINDING = (
    '<div class="sa-card"><p class="sa-quiet">Upload a slice, or try an example. The finding appears here.</p></div>'
)
EMPTY_VIEW = '<div class="sa-stage sa-empty"><p>No image yet</p></div>'
EMPTY_BATCH = '<div class="sa-card"><p class="sa-quiet">The table of results appears here.</p></div>'
WORKING = '<p class="sa-note"><progress aria-label="Working"></progress> {}</p>'


def failure(message: str) -> str:
    """Return the error message for an input that cannot be used."""
    return (
        '<div class="sa-card sa-failed" role="alert"><p class="sa-badge sa-no">This image cannot be used</p>'
        f"<p>{escape(message)}</p></div>"
    )


def finding(prediction: Prediction, predictor: Predictor, *, note: str = "") -> str:
    """Return the predicted class, the probabilities as bars, and whether the image was accepted; `note` is HTML."""
    if prediction.accepted:
        verdict = '<p class="sa-badge sa-yes">Accepted</p>'
        caution = ""
    else:
        reasons = "".join(f"<li>{escape(reason)}</li>" for reason in prediction.rejection_reasons)
        verdict = '<p class="sa-badge sa-no">Not accepted</p>'
        caution = (
            f'<ul class="sa-reasons">{reasons}</ul>'
            "<p><strong>Do not rely on this result:</strong> the model cannot assess this image.</p>"
        )
    kind = "sa-card" if prediction.accepted else "sa-card sa-rejected"
    return (
        f'<div class="{kind}" data-accepted="{str(prediction.accepted).lower()}">{verdict}{caution}'
        f'<p class="sa-finding"><span class="sa-label">{escape(prediction.label)}</span> '
        f'<span class="sa-share">{prediction.confidence:.1%}</span></p>'
        f"{_bars(prediction, predictor)}{note}</div>"
    )


def _bars(prediction: Prediction, predictor: Predictor) -> str:
    (label,) = predictor.target.labels  # the page shows only models with one label
    decision, positive = predictor.settings.decisions[label.name], label.positive
    point = decision.operating_point
    rows = []
    for name, share in sorted(prediction.probabilities.items(), key=lambda item: -item[1]):
        mark = f'<i class="sa-mark" style="left:{point:.2%}"></i>' if name == positive else ""
        rows.append(
            f'<li><span class="sa-name">{escape(name)}</span><span class="sa-value">{share:.1%}</span>'
            f'<span class="sa-bar" aria-hidden="true"><i style="width:{share:.2%}"></i>{mark}</span></li>'
        )
    rule = f"Classified as {escape(positive)} from {point:.1%} (vertical line). " if positive is not None else ""
    return (
        f'<ul class="sa-bars" aria-label="Probabilities">{"".join(rows)}</ul>'
        f'<p class="sa-quiet">{rule}Calibration: {escape(decision.note)}</p>'
        f'<p class="sa-quiet">Model: <code>{escape(prediction.model)}</code></p>'
    )


def view(picture: Image.Image, heat: str | None = None) -> str:
    """Return the image with its heat map, a data URL; None if it is not computed yet."""
    layer = f'<img class="sa-heat" alt="" src="{heat}">' if heat else ""
    filled = "width" if picture.width >= picture.height else "height"
    shape = f"aspect-ratio:{picture.width}/{picture.height};{filled}:100%"
    return (
        '<div class="sa-stage" tabindex="0" role="img" aria-label="The slice in the window of the model'
        f'{", with the heat map over it" if heat else ""}. Plus and minus zoom, arrows move, zero resets.">'
        f'<div class="sa-sheet" style="{shape}"><img class="sa-image" alt="" src="{data_url(picture)}">{layer}</div>'
        "</div>"
    )


def downloads(prediction: Prediction, sheet: str) -> str:
    """Return links that download the result as JSON and as the picture `sheet`, both embedded as data URLs."""
    text = json.dumps(prediction.to_dict(), indent=2) + "\n"
    content = as_data_url(text.encode(), "application/json")
    return (
        '<p class="sa-links">'
        f'<a class="sa-button" download="spinealign.json" href="{content}">Result as JSON</a> '
        f'<a class="sa-button" download="spinealign.png" href="{sheet}">Result as a picture</a></p>'
    )


def batch(rows: Sequence[Row], *, total: int) -> str:
    """Return the sortable table of a batch, with a link to the CSV file once all `total` files are done."""
    done = len(rows) == total
    failed = sum(row.error is not None for row in rows)
    rejected = sum(row.prediction is not None and not row.prediction.accepted for row in rows)
    count = f"{len(rows)} of {total} files" if not done else f"{total} file{'s' if total > 1 else ''}"
    state = f'<progress max="{total}" value="{len(rows)}" aria-label="Files done"></progress> ' if not done else ""
    head = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{title}</button></th>'
        for title in ("File", "Finding", "Confidence", "Accepted", "Why")
    )
    link = ""
    if done:
        content = as_data_url(predictions_csv(row.item for row in rows).encode(), "text/csv")
        link = (
            f'<p class="sa-links"><a class="sa-button" download="spinealign.csv" href="{content}">Table as CSV</a></p>'
        )
    return (
        f'<div class="sa-card"><p class="sa-note" role="status">{state}{count}: {rejected} not accepted, '
        f'{failed} unusable</p><div class="sa-scroll" tabindex="0" role="region" aria-label="Results">'
        f'<table class="sa-table" data-sortable><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(map(_line, rows))}</tbody></table></div>{link}</div>"
    )


def _line(row: Row) -> str:
    name = f'<th scope="row">{escape(row.name)}</th>'
    found = row.prediction
    if found is None:
        cells = f'<td>-</td><td data-value="-1">-</td><td>-</td><td>{escape(row.error)}</td>'
        return f'<tr class="sa-failed">{name}{cells}</tr>'
    kind = "" if found.accepted else ' class="sa-rejected"'
    reasons = escape("; ".join(found.rejection_reasons))
    return (
        f'<tr{kind}>{name}<td>{escape(found.label)}</td><td data-value="{found.confidence:.6f}">{found.confidence:.1%}'
        f"</td><td>{'yes' if found.accepted else 'no'}</td><td>{reasons}</td></tr>"
    )
