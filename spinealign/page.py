"""The Gradio page: upload a slice, see the finding and its confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spinealign.errors import SliceError, require
from spinealign.imaging.conditioning import render
from spinealign.imaging.reading import read_slice
from spinealign.inference.predictor import Predictor

if TYPE_CHECKING:
    import gradio

NOTICE = "Research software, **not a medical device**: no decision about a person may rest on it."
MAX_UPLOAD = "32mb"
SECONDS_KEPT = 600


def build_demo(predictor: Predictor) -> gradio.Blocks:
    """Build the page.

    Args:
        predictor: The model that answers.

    Returns:
        The page, not yet launched.

    Raises:
        MissingDependencyError: If Gradio is not installed.
    """
    require("gradio", extra="app")
    import gradio

    def answer(path: str | None) -> tuple[Any, dict[str, float] | None, str]:
        if path is None:
            return None, None, ""
        try:
            image = read_slice(path)
            prediction = predictor(image)
        except SliceError as error:
            # The message names the temporary file; the person knows the file by another name.
            raise gradio.Error(str(error).replace(path, "This file"), title="This image cannot be used") from error
        sentence = f"### {prediction.label} - {prediction.confidence:.1%}\nModel: `{prediction.model}`"
        if not prediction.accepted:
            reasons = "; ".join(prediction.rejection_reasons)
            sentence = f"### Not accepted: not to be relied on\n{reasons}\n\n{sentence}"
        return render(image, predictor.conditioning), dict(prediction.probabilities), sentence

    with gradio.Blocks(title="spinealign", analytics_enabled=False, delete_cache=(SECONDS_KEPT, SECONDS_KEPT)) as page:
        gradio.Markdown(f"# spinealign\nAxial CT slices of the neck: fracture or normal. {NOTICE}")
        with gradio.Row():
            with gradio.Column():
                upload = gradio.File(label="CT slice: PNG, JPEG or DICOM", type="filepath")
                view = gradio.Image(label="As the model sees it", interactive=False, height=360)
            with gradio.Column():
                finding = gradio.Markdown()
                bars = gradio.Label(label="Probabilities")
        upload.change(answer, upload, [view, bars, finding], api_name="predict", show_progress="minimal")
    return page


def launch(predictor: Predictor) -> None:
    """Serve the page until it is interrupted.

    Args:
        predictor: The model that answers.
    """
    build_demo(predictor).launch(max_file_size=MAX_UPLOAD, footer_links=[])
