"""Card of a Space: metadata and text of its `README.md`."""

from __future__ import annotations

import sys
from importlib.metadata import version

from spinealign._version import __version__
from spinealign.reporting.templates import render


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
        tags=["spinealign", "medical"],
        short_description="Slices of the spine; research, not a medical device",
    )
    return render("space_card.md.jinja", metadata=data.to_yaml(), title=title, model=model, release=__version__)
