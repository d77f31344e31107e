"""Card of a Space: metadata and text of its `README.md`."""

from __future__ import annotations

import sys
from importlib.metadata import version

from spinealign._version import __version__

_README = """
# {title}

Classifies axial CT slices of the neck, with a confidence, reasons for rejection and a heat map. **Research software,
not a medical device: do not base any decision about a person on it.** The scores of the model are on the page, under
"The model".

Model: {model}. An uploaded file is read once and deleted before the result is shown.

This folder was written by `spinealign space`; run it again to update model or software. `spinealign/` is the package,
release {release}, without the weights of the torch engine. To require a login, set the secret `SPINEALIGN_AUTH` to
`user:password`.
"""


def render_space_card(title: str, model: str, *, models: list[str]) -> str:
    """Return the card of a Space for a model; `models` are the Hub ids that it links."""
    from huggingface_hub import SpaceCardData

    data = SpaceCardData(
        title=title,
        emoji="🦴",
        colorFrom="gray",
        colorTo="blue",
        sdk="gradio",
        sdk_version=version("gradio"),
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        app_file="app.py",
        license="apache-2.0",
        models=models or None,
        tags=["spinealign", "medical", "ct", "cervical-spine"],
        short_description="CT slices of the neck; research, not a medical device",
    )
    return f"---\n{data.to_yaml()}\n---\n{_README.format(title=title, model=model, release=__version__)}"
