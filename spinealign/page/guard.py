"""What stands between the network and Gradio: who may ask, limits of size and time, headers."""

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
    """Return the headers of every answer.

    Scripts and styles may stand in the page, because Gradio writes them there; whatever is loaded comes from this
    server. In a Space, the Hub shows the page in a frame.
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
    """ASGI middleware: refuses whom the page does not answer, and what is too large or too slow; adds the headers.

    It stands before all of Gradio, which lets every site ask, with the person's cookies and free to read the answer,
    unless the page runs on a host called localhost. Faults are logged by their kind alone.

    Args:
        app: What answers the rest.
        names: Names by which the page may be asked; None takes any.
        body_seconds: Seconds until a request has arrived as a whole.
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
            if not body.refused:  # Starlette complains when the rest of a refused body does not come
                logger.error("A request failed: %s", type(error).__name__)  # what it says may quote the request
                logger.debug("Its traceback", exc_info=True)
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
    """The body of a request, which may neither grow nor take too long."""

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
        except asyncio.TimeoutError:  # until Python 3.11, it is not the built-in one
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
        """Say that there is no answer, unless a part of one has gone; the server then cuts the connection."""
        if not self._started:
            await refuse(self._send, 500, "This cannot be answered.")

    async def send(self, message: Message) -> None:
        if not self.refused:
            self._started = True
            await self._send(message)


def _limit(scope: Scope) -> int:
    if scope["path"] == AGENTS_ROUTE:
        return MAX_AGENT_BYTES
    return MAX_UPLOAD_BYTES if scope["path"].startswith("/gradio_api/upload") else MAX_BODY_BYTES


async def refuse(send: Send, status: int, text: str) -> None:
    """Answer a request by a status and a sentence."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
