"""Serve the page: a folder of its own for uploads, limits, headers, login."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware

from spinealign.inference.predictor import Predictor
from spinealign.page.folders import own_folder
from spinealign.page.guard import Guard
from spinealign.page.limits import MAX_FILE_BYTES, SESSIONS_KEPT, THREADS
from spinealign.page.models import shown_name

logger = logging.getLogger(__name__)

AUTH_VARIABLE = "SPINEALIGN_AUTH"


def serve(predictor: Predictor, *, host: str | None, port: int | None, mcp: bool, allow_models: bool) -> None:
    """Serve the page, as `spinealign.page.launch` says."""
    if threading.current_thread() is threading.main_thread():  # what stops a container shall clean up like Ctrl-C
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    told = os.environ.get(AUTH_VARIABLE)
    accounts = [] if told is None else read_accounts(told)
    if mcp and accounts:
        raise ValueError(f"agents cannot log in; leave out either --mcp or {AUTH_VARIABLE}.")
    with own_folder() as folder:
        from spinealign.page.layout import build_page, look

        page = build_page(predictor, allow_models=allow_models)
        page.launch(
            server_name=host,
            server_port=port,
            auth=accounts or None,
            mcp_server=mcp,
            max_file_size=MAX_FILE_BYTES,
            state_session_capacity=SESSIONS_KEPT,
            max_threads=THREADS,
            app_kwargs=_parts_of_the_server(shown_name(predictor), folder),
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            share=False,
            ssr_mode=False,
            pwa=False,
            quiet=True,
            prevent_thread_lock=True,
            **look(),
        )
        logger.info("The page is at %s", page.local_url)
        page.block_thread()


def read_accounts(text: str) -> list[tuple[str, str]]:
    """Return users with their passwords.

    Args:
        text: `user:password`, several of them divided by commas.

    Raises:
        ValueError: If it is of another form, or empty, as a variable that was to be filled and was not; the message
            does not repeat it.
    """
    accounts = [part.strip().partition(":") for part in text.split(",")]
    if any(not user or not password for user, _, password in accounts):
        raise ValueError(f"{AUTH_VARIABLE} must be user:password, or several of them divided by commas.")
    return [(user, password) for user, _, password in accounts]


def _parts_of_the_server(model: str, folder: Path) -> dict[str, Any]:
    from spinealign.page.routes import own_routes
    from spinealign.page.uploads import keep_sweeping

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(keep_sweeping(folder))
        try:
            yield
        finally:
            sweeping.cancel()

    return {"routes": own_routes(model), "middleware": [Middleware(Guard)], "lifespan": lifespan}
