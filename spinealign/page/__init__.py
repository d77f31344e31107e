"""The page in the browser, and the interface for programs behind it; Gradio loads when it is built."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from spinealign.errors import require

if TYPE_CHECKING:
    import gradio

    from spinealign.inference.predictor import Predictor

__all__ = ["build_demo", "launch"]


def build_demo(predictor: Predictor, *, allow_models: bool = False) -> gradio.Blocks:
    """Build the page, to be looked at, changed or put into another one.

    Its own `launch` serves it in its look, but unguarded: headers, closed addresses, limits of size, login, `/health`
    and a folder for uploads of its own come with `spinealign.page.launch`.

    Args:
        predictor: The model that answers; any engine will do, also one without weights.
        allow_models: Whether a person may choose another model, by its Hub id or a folder of this machine.

    Returns:
        The page, not yet launched.

    Raises:
        MissingDependencyError: If Gradio is not installed.
    """
    require("gradio", extra="app")
    from spinealign.page.layout import build_page

    return build_page(predictor, allow_models=allow_models)


def launch(
    predictor: Predictor,
    *,
    host: str | None = None,
    port: int | None = None,
    mcp: bool = False,
    allow_models: bool = False,
    hostnames: Collection[str] = (),
) -> None:
    """Serve the page until it is interrupted.

    Args:
        predictor: The model that answers.
        host: Address to listen on; None takes GRADIO_SERVER_NAME, or this machine alone.
        port: Port to listen on; None takes GRADIO_SERVER_PORT, or the first free one from 7860 on.
        mcp: Whether agents may use the model too, by the Model Context Protocol.
        allow_models: Whether a person may choose another model.
        hostnames: Names by which the page may be asked, besides those of this machine. None given, it takes any, but
            where it listens to this machine alone and asks for no login, it takes no other.

    Raises:
        MissingDependencyError: If Gradio, or what it needs for `mcp`, is not installed.
        ValueError: If SPINEALIGN_AUTH is not of the form user:password,user:password, or stands beside `mcp`.
    """
    require("gradio", extra="app")
    if mcp:
        require("mcp", extra="mcp")
    from spinealign.page.server import serve

    serve(predictor, host=host, port=port, mcp=mcp, allow_models=allow_models, hostnames=hostnames)
