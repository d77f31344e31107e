"""Who may log in, and how often somebody may try."""

from __future__ import annotations

import os
import time
from collections import Counter

from spinealign.config import DISCLAIMER
from spinealign.page.guard import App, Message, Receive, Scope, Send, refuse
from spinealign.page.limits import ALL_LOGINS, LOGIN_SECONDS, LOGINS

AUTH_VARIABLE = "SPINEALIGN_AUTH"
LOGIN_MESSAGE = f"<p>spinealign. {DISCLAIMER}</p><p>After {LOGINS} wrong passwords, wait a minute.</p>"


def read_accounts() -> list[tuple[str, str]]:
    """Return the users that the environment names, with their passwords; none where it says nothing.

    Raises:
        ValueError: If it is of another form than `user:password,user:password`, or empty, as a variable that was to be
            filled and was not; the message does not repeat it.
    """
    text = os.environ.get(AUTH_VARIABLE)
    if text is None:
        return []
    accounts = [part.strip().partition(":") for part in text.split(",")]
    if any(not user or not password for user, _, password in accounts):
        raise ValueError(f"{AUTH_VARIABLE} must be user:password, or several of them divided by commas.")
    return [(user, password) for user, _, password in accounts]


class LoginGuard:
    """ASGI middleware: slows who guesses passwords, and keeps the cookie of a login from other sites.

    Tries count from their start, so that many at once are not free; one that succeeds is taken back.

    Args:
        app: What answers the rest.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._tries: Counter[str] = Counter()
        self._end = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith("/login"):
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("",))[0]
        if not self._may_try(address):
            await refuse(send, 429, "Too many logins failed; wait a minute, then try again.")
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] == 200:
                    self._tries[address] -= 1
                message = {**message, "headers": [_for_this_site(*header) for header in message["headers"]]}
            await send(message)

        await self._app(scope, receive, answer)

    def _may_try(self, address: str) -> bool:
        now = time.monotonic()
        if now >= self._end:
            self._tries.clear()
            self._end = now + LOGIN_SECONDS
        if self._tries[address] >= LOGINS or self._tries.total() >= ALL_LOGINS:
            return False
        self._tries[address] += 1
        return True


def _for_this_site(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Let a cookie go with requests from this site alone; in a Space, the page stands in a frame of the Hub's."""
    if name.lower() == b"set-cookie" and not os.environ.get("SPACE_ID"):
        value = value.replace(b"SameSite=none", b"SameSite=lax")
    return name, value
