"""Serve the page: a folder of its own for uploads, limits, headers, login."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinealign.inference.predictor import Predictor
from spinealign.page.access import LOOPBACK
from spinealign.page.folders import own_folder
from spinealign.page.guard import Guard
from spinealign.page.limits import MAX_FILE_BYTES, SESSIONS_KEPT, THREADS
from spinealign.page.login import AUTH_VARIABLE, LOGIN_MESSAGE, LoginGuard, read_accounts

if TYPE_CHECKING:
    from spinealign.page.blocks import Page

logger = logging.getLogger(__name__)

_M_ARENA_MAX = -8  # of malloc.h


def serve(
    predictor: Predictor,
    *,
    host: str | None,
    port: int | None,
    mcp: bool,
    allow_models: bool,
    hostnames: Collection[str],
) -> None:
    """Serve the page, as `spinealign.page.launch` says."""
    if threading.current_thread() is threading.main_thread():  # what stops a container shall clean up like Ctrl-C
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    accounts = read_accounts()
    if mcp and accounts:
        raise ValueError(f"agents cannot log in; leave out either --mcp or {AUTH_VARIABLE}.")
    _share_memory()
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it quotes what it does not understand
    names = _names(host or os.environ.get("GRADIO_SERVER_NAME"), hostnames, login=bool(accounts))
    with own_folder() as folder:
        from spinealign.page.layout import build_page

        page = build_page(predictor, allow_models=allow_models)
        page.launch(
            server_name=host,
            server_port=port,
            auth=accounts or None,
            auth_message=LOGIN_MESSAGE,
            mcp_server=False,
            max_file_size=MAX_FILE_BYTES,
            state_session_capacity=SESSIONS_KEPT,
            max_threads=THREADS,
            app_kwargs=_answers(predictor, page, folder=folder, mcp=mcp, names=names),
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            share=False,
            ssr_mode=False,
            pwa=False,
            quiet=True,
            prevent_thread_lock=True,
        )
        logger.info("The page is at %s", page.local_url)
        page.block_thread()


def _names(host: str | None, given: Collection[str], *, login: bool) -> frozenset[str] | None:
    """Return the names by which the page may be asked, or None for any.

    A site may point its own name at this machine, and then ask the page in the browser of whoever looks at it. With a
    login, that browser has no cookie for the name.
    """
    if given:
        return LOOPBACK | {name.lower() for name in given}
    return LOOPBACK if not login and (host or "localhost") in LOOPBACK else None


def _share_memory() -> None:
    """Let all threads take memory from two places: the C library of Linux gives each its own, and gets little back."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # other C libraries have no such setting
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _answers(
    predictor: Predictor, page: Page, *, folder: Path, mcp: bool, names: Collection[str] | None
) -> dict[str, Any]:
    """Return the routes that come before Gradio's, what stands before all of them, and what runs beside."""
    from spinealign.page.routes import own_routes
    from spinealign.page.uploads import keep_sweeping

    routes = own_routes(predictor.checkpoint.name, page.waiting)
    if mcp:
        from spinealign.page.agents import Agents

        routes.append(Agents(predictor).route)

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        # Gradio puts middleware of its own before any that it is given; this comes before both.
        app.middleware_stack = Guard(LoginGuard(app.middleware_stack), names=names)
        sweeping = asyncio.create_task(keep_sweeping(folder, page.waiting))
        try:
            yield
        finally:
            sweeping.cancel()

    return {"routes": routes, "lifespan": lifespan}
