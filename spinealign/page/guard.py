"""What stands between the network and Gradio: closed addresses, limits of size and time, headers."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from spinealign.page.limits import BODY_SECONDS, MAX_BODY_BYTES, MAX_FILE_BYTES, MAX_UPLOAD_BYTES

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

# What the page, its clients and agents ask for. Gradio has more, above all ways to fetch files and addresses.
_OPEN = re.compile(
    r"/|/health|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/login/?|/logout"
    r"|/(assets|static|svelte)/.+"
    r"|/gradio_api/(info|openapi\.json|app_id|token|user|login_check|startup-events|upload|upload_progress|theme\.css)/?"
    r"|/gradio_api/(queue/(join|data|status)|cancel|reset)/?"
    r"|/gradio_api/(heartbeat|call)/.+"
    r"|/gradio_api/mcp(/.*)?"
)
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
    """ASGI middleware: refuses what the page does not need and what other sites ask, and adds the headers.

    Gradio lets every site ask, with the person's cookies and free to read the answer, unless the page runs on a host
    called localhost.
    """

    def __init__(self, app: App, *, body_seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._body_seconds = body_seconds
        self._headers = [(name.encode(), value.encode()) for name, value in security_headers().items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._with_headers(scope, send)
        if not _OPEN.fullmatch(scope["path"]):
            await _refuse(answer, 404, "There is nothing here.")
            return
        if _is_foreign(scope):
            await _refuse(answer, 403, "This page answers no other site.")
            return
        body = _Body(receive, answer, limit=_limit(scope), deadline=self._body_seconds)
        if body.is_announced_too_large(scope):
            await _refuse(answer, 413, "The request is too large.")
            return
        try:
            await self._app(scope, body.receive, body.send)
        except Exception:
            if not body.refused:  # what Starlette says when the rest of a refused body does not come
                raise

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
            await _refuse(self._send, status, text)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if not self.refused:
            self._started = True
            await self._send(message)


def _is_foreign(scope: Scope) -> bool:
    """Tell whether a browser asks for another site; programs do not say where they come from.

    A proxy may say by which name the page was asked; another site cannot, for the browser would ask here first.
    """
    headers = dict(scope["headers"])
    own = {headers.get(b"host"), headers.get(b"x-forwarded-host"), os.environ.get("SPACE_HOST", "").encode()}
    return b"origin" in headers and headers[b"origin"].partition(b"://")[2] not in own - {b""}


def _limit(scope: Scope) -> int:
    if scope["path"].startswith("/gradio_api/mcp"):  # agents send a file as text within the request
        return 2 * MAX_FILE_BYTES
    return MAX_UPLOAD_BYTES if scope["path"].startswith("/gradio_api/upload") else MAX_BODY_BYTES


async def _refuse(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
