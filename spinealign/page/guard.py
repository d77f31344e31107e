"""ASGI middleware in front of Gradio: access checks, size and time limits, security headers."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, TypeAlias

from spinealign.page.access import refusal
from spinealign.page.limits import BODY_SECONDS, MAX_AGENT_BYTES, MAX_BODY_BYTES, MAX_UPLOAD_BYTES

logger = logging.getLogger(__name__)

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

AGENTS_ROUTE = "/mcp"
_HUB = "https://huggingface.co"


def security_headers() -> dict[str, str]:
    """Return the headers of every response.

    Inline scripts and styles are allowed because Gradio needs them; everything else is loaded from this server only.
    In a Space, the Hub may show the page in a frame.
    """
    frames = f"'self' {_HUB}" if os.environ.get("SPACE_ID") else "'none'"
    return {
        "content-security-policy": (
            "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
            f"object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {frames}"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }


class Guard:
    """ASGI middleware that checks access, limits the size and duration of requests, and adds security headers.

    It is in front of all of Gradio, which allows cross-site requests with cookies unless the page runs on localhost.
    Errors are logged by their class name only.

    Args:
        app: Wrapped application.
        names: Accepted host names; None accepts any.
        body_seconds: Time in seconds within which a request must have arrived completely.
    """

    def __init__(self, app: App, *, names: Collection[str] | None = None, body_seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._names = names
        self._body_seconds = body_seconds
        self._headers = [(name.encode(), value.encode()) for name, value in security_headers().items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._with_headers(scope, send)
        refused = refusal(scope, names=self._names)
        if refused:
            await refuse(answer, *refused)
            return
        body = _Body(receive, answer, limit=_limit(scope), deadline=self._body_seconds)
        if body.is_announced_too_large(scope):
            await refuse(answer, 413, "The request is too large.")
            return
        try:
            await self._app(scope, body.receive, body.send)
        except Exception as error:
            if not body.refused:  # Starlette raises an error when the rest of a refused body is missing
                logger.error("A request failed: %s", type(error).__name__)  # the message may quote the request
                logger.debug("Traceback", exc_info=True)
                await body.fail()

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        lasting = scope["path"].startswith(("/assets/", "/static/", "/svelte/"))
        added = [*self._headers, *([] if lasting else [(b"cache-control", b"no-store")])]
        ours = {name for name, _ in added}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    header
                    for header in message.get("headers", [])
                    if header[0].lower() not in ours and not header[0].lower().startswith(b"access-control-")
                ]
                message = {**message, "headers": [*kept, *added]}
            await send(message)

        return answer


class _Body:
    """Body of a request, with a limit on its size and duration."""

    def __init__(self, receive: Receive, send: Send, *, limit: int, deadline: float) -> None:
        self._receive, self._send = receive, send
        self._left = self._limit = limit
        self._end = asyncio.get_running_loop().time() + deadline
        self._complete = self._started = False
        self.refused = False

    def is_announced_too_large(self, scope: Scope) -> bool:
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        return not announced.isdigit() or int(announced) > self._limit

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        left = max(0.0, self._end - asyncio.get_running_loop().time())
        try:
            message = await asyncio.wait_for(self._receive(), left)
        except asyncio.TimeoutError:  # not the built-in TimeoutError before Python 3.11
            return await self._refuse(408, "The request took too long.")
        self._left -= len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        return message if self._left >= 0 else await self._refuse(413, "The request is too large.")

    async def _refuse(self, status: int, text: str) -> Message:
        self._complete = self.refused = True
        if not self._started:
            await refuse(self._send, status, text)
        return {"type": "http.disconnect"}

    async def fail(self) -> None:
        """Send an error, unless a part of the response has been sent; the server then closes the connection."""
        if not self._started:
            await refuse(self._send, 500, "The request failed.")

    async def send(self, message: Message) -> None:
        if not self.refused:
            self._started = True
            await self._send(message)


def _limit(scope: Scope) -> int:
    if scope["path"] == AGENTS_ROUTE:
        return MAX_AGENT_BYTES
    return MAX_UPLOAD_BYTES if scope["path"].startswith("/gradio_api/upload") else MAX_BODY_BYTES


async def refuse(send: Send, status: int, text: str) -> None:
    """Answer a request with a status and a message."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
