"""Server of the page: Gradio with a private upload folder, limits, headers and login."""

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
    """Serve the page; see `spinealign.page.launch`."""
    if threading.current_thread() is threading.main_thread():  # clean up when a container is stopped, as with Ctrl-C
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    accounts = read_accounts()
    if mcp and accounts:
        raise ValueError(f"agents cannot log in; leave out either --mcp or {AUTH_VARIABLE}.")
    _share_memory()
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # its warnings quote the request
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
    """Return the accepted host names, or None for any.

    The check prevents DNS rebinding: another site points its name at this machine and sends requests from a visitor's
    browser. With a login the check is not needed, because the browser has no login cookie for that name.
    """
    if given:
        return LOOPBACK | {name.lower() for name in given}
    return LOOPBACK if not login and (host or "localhost") in LOOPBACK else None


def _share_memory() -> None:
    """Limit glibc to two malloc arenas; with one per thread, much memory is never returned."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # not available in other C libraries
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _answers(
    predictor: Predictor, page: Page, *, folder: Path, mcp: bool, names: Collection[str] | None
) -> dict[str, Any]:
    """Return routes and lifespan for Gradio's application: own routes, middleware, and the clean-up task."""
    from spinealign.page.routes import own_routes
    from spinealign.page.uploads import keep_sweeping

    routes = own_routes(predictor.checkpoint.name, page.waiting)
    if mcp:
        from spinealign.page.agents import Agents

        routes.append(Agents(predictor).route)

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        # Gradio puts its own middleware before any passed to it; wrapping the stack puts this one first.
        app.middleware_stack = Guard(LoginGuard(app.middleware_stack), names=names)
        sweeping = asyncio.create_task(keep_sweeping(folder, page.waiting))
        try:
            yield
        finally:
            sweeping.cancel()

    return {"routes": routes, "lifespan": lifespan}
