"""Request filter: host allow-list, cross-site check, login."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from spinealign.page.limits import MAX_ADDRESS

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# Addresses that the page, its clients and agents need. Gradio has more, including ways to fetch files and URLs.
_OPEN = re.compile(
    r"/|/health|/mcp|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/login/?|/logout"
    r"|/(assets|static|svelte)/.+"
    r"|/gradio_api/(info|openapi\.json|app_id|token|user|login_check|startup-events|upload|upload_progress|theme\.css)/?"
    r"|/gradio_api/(queue/(join|data|status)|cancel|reset)/?"
    r"|/gradio_api/(heartbeat|call(?!/v2/))/.+"
)
# Addresses that the login form needs. Gradio requests startup-events from itself when it starts.
_BEFORE_LOGIN = re.compile(
    r"/|/health|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/login/?|/logout|/(assets|static|svelte)/.+"
    r"|/gradio_api/(login_check|startup-events|theme\.css)/?"
)


def refusal(scope: Mapping[str, Any], *, names: Collection[str] | None) -> tuple[int, str] | None:
    """Return status and message of a refusal, or None; `names` are the accepted host names, None for any."""
    headers = dict(scope["headers"])
    if max(len(scope["path"]), len(scope.get("query_string", b""))) > MAX_ADDRESS:
        return 414, "The address is too long."
    if names is not None and _host(headers) not in names:
        return 421, "Unknown host name. The operator of this page can allow it with --hostnames."
    if not _OPEN.fullmatch(scope["path"]):
        return 404, "Not found."
    if _is_foreign(headers, navigation=scope["path"] == "/"):
        return 403, "Requests from other sites are not allowed."
    if not _BEFORE_LOGIN.fullmatch(scope["path"]) and not _is_logged_in(scope.get("app"), headers):
        return 401, "Log in first."
    return None


def _host(headers: dict[bytes, bytes]) -> str | None:
    try:
        return urlsplit(f"//{headers.get(b'host', b'').decode('latin-1')}").hostname
    except ValueError:
        return None


def _is_foreign(headers: dict[bytes, bytes], *, navigation: bool) -> bool:
    """Return whether a browser sent the request for another site; other programs do not send an origin.

    X-Forwarded-Host is trusted because a cross-site script can only set it after a preflight request, which is refused
    here. Navigation to the page is allowed: links lead to it, and the Hub shows a Space in a frame.
    """
    if headers.get(b"sec-fetch-site") == b"cross-site" and not navigation:
        return True
    own = {headers.get(b"host"), headers.get(b"x-forwarded-host"), os.environ.get("SPACE_HOST", "").encode()}
    return b"origin" in headers and headers[b"origin"].partition(b"://")[2] not in own - {b""}


def _is_logged_in(app: Any, headers: dict[bytes, bytes]) -> bool:
    """Return whether the page has no login or the request carries a valid login cookie."""
    from starlette.requests import cookie_parser

    if getattr(app, "auth", None) is None:
        return True
    cookies = cookie_parser(headers.get(b"cookie", b"").decode("latin-1"))
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return any(app.tokens.get(cookies.get(name)) is not None for name in names)
