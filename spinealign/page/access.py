"""Who may ask: this page under its own names, nobody for another site, and with a login only who is logged in."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from spinealign.page.limits import MAX_ADDRESS

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# What the page, its clients and agents ask for. Gradio has more, above all ways to fetch files and addresses.
_OPEN = re.compile(
    r"/|/health|/mcp|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/login/?|/logout"
    r"|/(assets|static|svelte)/.+"
    r"|/gradio_api/(info|openapi\.json|app_id|token|user|login_check|startup-events|upload|upload_progress|theme\.css)/?"
    r"|/gradio_api/(queue/(join|data|status)|cancel|reset)/?"
    r"|/gradio_api/(heartbeat|call(?!/v2/))/.+"
)
# What shows the form for the login; Gradio asks itself for startup-events when it starts.
_BEFORE_LOGIN = re.compile(
    r"/|/health|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/login/?|/logout|/(assets|static|svelte)/.+"
    r"|/gradio_api/(login_check|startup-events|theme\.css)/?"
)


def refusal(scope: Mapping[str, Any], *, names: Collection[str] | None) -> tuple[int, str] | None:
    """Return the status and the words with which a request is refused, or None.

    Args:
        scope: The request, as ASGI describes it.
        names: Names by which the page may be asked; None takes any.
    """
    headers = dict(scope["headers"])
    if max(len(scope["path"]), len(scope.get("query_string", b""))) > MAX_ADDRESS:
        return 414, "The address is too long."
    if names is not None and _host(headers) not in names:
        return 421, "This page is not asked by that name; its operator can allow it (--hostnames)."
    if not _OPEN.fullmatch(scope["path"]):
        return 404, "There is nothing here."
    if _is_foreign(headers, navigation=scope["path"] == "/"):
        return 403, "This page answers no other site."
    if not _BEFORE_LOGIN.fullmatch(scope["path"]) and not _is_logged_in(scope.get("app"), headers):
        return 401, "Log in first."
    return None


def _host(headers: dict[bytes, bytes]) -> str | None:
    try:
        return urlsplit(f"//{headers.get(b'host', b'').decode('latin-1')}").hostname
    except ValueError:
        return None


def _is_foreign(headers: dict[bytes, bytes], *, navigation: bool) -> bool:
    """Tell whether a browser asks for another site; programs do not say where they come from.

    A proxy may say by which name the page was asked; another site cannot, for the browser would ask here first. A link
    may lead to the page, and the Hub shows a Space in a frame.
    """
    if headers.get(b"sec-fetch-site") == b"cross-site" and not navigation:
        return True
    own = {headers.get(b"host"), headers.get(b"x-forwarded-host"), os.environ.get("SPACE_HOST", "").encode()}
    return b"origin" in headers and headers[b"origin"].partition(b"://")[2] not in own - {b""}


def _is_logged_in(app: Any, headers: dict[bytes, bytes]) -> bool:
    """Tell whether the page asks for no login, or a cookie of the request is one that it gave."""
    from starlette.requests import cookie_parser

    if getattr(app, "auth", None) is None:
        return True
    cookies = cookie_parser(headers.get(b"cookie", b"").decode("latin-1"))
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return any(app.tokens.get(cookies.get(name)) is not None for name in names)
