"""Gradio's Blocks, which here have a look of their own, and keep and log nothing of a call."""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import Any

import gradio
from gradio.exceptions import InvalidPathError

from spinealign.page.waiting import Waiting

logger = logging.getLogger(__name__)

UNKNOWN_FILE = "This file was not uploaded here, or it is gone; upload it again."
MALFORMED = "This cannot be answered; send what the endpoint takes, as docs/api.md says."


class Page(gradio.Blocks):
    """Blocks with the look of the page, whose queue forgets, and whose log says nothing of what a call carries.

    Gradio prints a traceback with the paths and values of a call that it cannot answer.

    Attributes:
        waiting: What waits in the queue.
    """

    waiting: Waiting

    def queue(self, *arguments: Any, **options: Any) -> Page:
        """Make the queue, as Gradio's documentation says."""
        super().queue(*arguments, **options)
        self.waiting = Waiting(self._queue)
        return self

    def launch(self, *arguments: Any, **options: Any) -> Any:
        """Serve the page in its own look, as Gradio's documentation says."""
        return super().launch(*arguments, **{**_look(), **options})

    async def process_api(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Answer a call.

        Raises:
            gradio.Error: If it cannot be answered: it is of another form, or names a file that was not uploaded.
        """
        try:
            return await super().process_api(*arguments, **options)
        except gradio.Error:
            raise
        except Exception as error:
            logger.error("A call failed: %s", type(error).__name__)
            logger.debug("Its traceback", exc_info=True)
            message = UNKNOWN_FILE if isinstance(error, InvalidPathError) else MALFORMED
            raise gradio.Error(message, print_exception=False) from None


def _look() -> dict[str, object]:
    """Return what the page looks like: fonts of the system, none from another host."""
    folder = files("spinealign.page")
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    theme = gradio.themes.Base(
        primary_hue="blue",
        neutral_hue="slate",
        radius_size="md",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    return {"theme": theme, "css": style, "head": f"<script>{script}</script>"}
