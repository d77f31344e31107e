"""Gradio Blocks with the theme of the page, a bounded queue and a log without user data."""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import Any

import gradio
from gradio.exceptions import InvalidPathError

from spinealign.page.waiting import Waiting

logger = logging.getLogger(__name__)

UNKNOWN_FILE = "This file was not uploaded or has been deleted; upload it again."
MALFORMED = "Invalid request; docs/api.md describes what each endpoint takes."


class Page(gradio.Blocks):
    """Blocks with the theme of the page, a bounded queue and a log without user data.

    Gradio itself prints a traceback with paths and values when a call fails.

    Attributes:
        waiting: Calls and answers in the queue.
    """

    waiting: Waiting

    def queue(self, *arguments: Any, **options: Any) -> Page:
        """Create the queue; the arguments are those of `gradio.Blocks.queue`."""
        super().queue(*arguments, **options)
        self.waiting = Waiting(self._queue)
        return self

    def launch(self, *arguments: Any, **options: Any) -> Any:
        """Serve the page with its theme; the arguments are those of `gradio.Blocks.launch`."""
        return super().launch(*arguments, **{**_look(), **options})

    async def process_api(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Answer a call.

        Raises:
            gradio.Error: If the call is malformed or names a file that was not uploaded.
        """
        try:
            return await super().process_api(*arguments, **options)
        except gradio.Error:
            raise
        except Exception as error:
            logger.error("A call failed: %s", type(error).__name__)
            logger.debug("Traceback", exc_info=True)
            message = UNKNOWN_FILE if isinstance(error, InvalidPathError) else MALFORMED
            raise gradio.Error(message, print_exception=False) from None


def _look() -> dict[str, object]:
    """Return theme, style sheet and script, with system fonts so that nothing is loaded from another host."""
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
