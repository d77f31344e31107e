"""Web page and API of a model; Gradio is imported when the page is built."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from spinealign.errors import require

if TYPE_CHECKING:
    import gradio

    from spinealign.inference.predictor import Predictor

__all__ = ["build_demo", "launch"]


def build_demo(predictor: Predictor, *, allow_models: bool = False) -> gradio.Blocks:
    """Build the page as Gradio Blocks, to be modified or embedded in another page.

    The `launch` method of the result serves the page with its theme but without protection. Security headers, the
    allow-list of addresses, size limits, login, `/health` and the private upload folder are only added by
    `spinealign.page.launch`.

    Args:
        predictor: Model to serve, with any engine.
        allow_models: Whether visitors may choose another model, by Hub id or by a folder on the server.

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
        predictor: Model to serve.
        host: Address to listen on. Default: GRADIO_SERVER_NAME, or else 127.0.0.1.
        port: Port to listen on. Default: GRADIO_SERVER_PORT, or else the first free port from 7860.
        mcp: Whether to offer the model to agents, with the Model Context Protocol.
        allow_models: Whether visitors may choose another model.
        hostnames: Host names that are accepted in addition to localhost. If empty, a page on 127.0.0.1 without a login
            accepts only localhost, and any other page accepts every name.

    Raises:
        MissingDependencyError: If Gradio is not installed, or with `mcp` the package mcp.
        ValueError: If SPINEALIGN_AUTH is not of the form user:password,user:password, or is combined with `mcp`.
    """
    require("gradio", extra="app")
    if mcp:
        require("mcp", extra="mcp")
    from spinealign.page.server import serve

    serve(predictor, host=host, port=port, mcp=mcp, allow_models=allow_models, hostnames=hostnames)
