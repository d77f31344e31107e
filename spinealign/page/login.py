"""Login: accounts and rate limit."""

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
    """Read user names and passwords from the environment variable SPINEALIGN_AUTH.

    Returns:
        Pairs of user name and password; empty if the variable is not set.

    Raises:
        ValueError: If the variable is empty or not of the form `user:password,user:password`. The message does not
            repeat its value.
    """
    text = os.environ.get(AUTH_VARIABLE)
    if text is None:
        return []
    accounts = [part.strip().partition(":") for part in text.split(",")]
    if any(not user or not password for user, _, password in accounts):
        raise ValueError(f"{AUTH_VARIABLE} must be user:password, or several of these separated by commas.")
    return [(user, password) for user, _, password in accounts]


class LoginGuard:
    """ASGI middleware that limits failed logins and restricts the login cookie to this site.

    An attempt counts from its start, so that parallel attempts are limited too; a successful one is subtracted again.

    Args:
        app: Wrapped application.
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
            await refuse(send, 429, "Too many failed logins; wait a minute, then try again.")
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
    """Restrict a cookie to requests from this site, except in a Space, where the Hub shows the page in a frame."""
    if name.lower() == b"set-cookie" and not os.environ.get("SPACE_ID"):
        value = value.replace(b"SameSite=none", b"SameSite=lax")
    return name, value
