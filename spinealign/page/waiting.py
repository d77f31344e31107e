"""Bounds on Gradio's queue: waiting calls and answers that are not fetched."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from spinealign.page.limits import ANSWERS_KEPT, MAX_NAME, SECONDS_UNREAD, WAITING_PREDICTIONS

if TYPE_CHECKING:
    from gradio.queueing import Queue


class Waiting:
    """Queue of a page with bounded memory.

    Gradio's queue keeps the answers of 2,000 sessions forever. It then drops the oldest session even if its call is
    still running, and stops for everyone. It also keeps a record of 10,000 calls.

    Args:
        queue: Gradio's queue, before the first call.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue, self._push = queue, queue.push
        self._unread = Since()
        queue.pending_messages_per_session = _Answers()
        queue.push = self.push
        queue.ANALYTICS_MAX_EVENTS = 0
        queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize  # do not rebuild the table of calls after each call

    @property
    def is_stopped(self) -> bool:
        """Whether the queue has stopped answering calls."""
        return bool(self._queue.stopped)

    def uploads(self) -> str:
        """Return the data of all waiting and running calls as text, with the paths of their uploads."""
        return " ".join(str(call.data.data) for call in self._calls() if call.data)

    async def push(self, body: Any, *arguments: Any, **options: Any) -> Any:
        """Add a call to the queue if its session name is valid and its answer can be kept."""
        if body.session_hash is not None and not 0 < len(body.session_hash) <= MAX_NAME:
            return False, "The session_hash is empty or too long.", "error"
        if len(self._queue.pending_event_ids_session.get(body.session_hash, ())) >= WAITING_PREDICTIONS:
            return False, "Fetch the answers to earlier calls first.", "queue_full"
        self._unread.restart(body.session_hash)
        if not self._free_capacity():
            return False, "Too many answers are waiting to be fetched; try again later.", "queue_full"
        return await self._push(body, *arguments, **options)

    def forget_unread(self, *, older_than: float = SECONDS_UNREAD) -> None:
        """Drop the answers of sessions that have neither called nor fetched anything for `older_than` seconds."""
        for session in self._unread.longer_than(older_than, self._idle()):
            self._forget(session)

    def _free_capacity(self) -> bool:
        """Drop sessions without unfetched answers, then the oldest idle ones, until one more answer can be kept."""
        owed = self._queue.pending_event_ids_session
        if len(self._queue.pending_messages_per_session) >= ANSWERS_KEPT:
            for session in self._idle():
                if not owed.get(session):
                    self._forget(session)
        for session in self._idle():
            if sum(map(len, owed.values())) < ANSWERS_KEPT:
                break
            self._forget(session)
        return sum(map(len, owed.values())) < ANSWERS_KEPT

    def _idle(self) -> list[str]:
        """Return the sessions without a waiting or running call, oldest first."""
        busy = {call.session_hash for call in self._calls()}
        known = {**self._queue.pending_messages_per_session, **self._queue.pending_event_ids_session}
        return [session for session in known if session not in busy]

    def _calls(self) -> Collection[Any]:
        return self._queue.event_ids_to_events.values()

    def _forget(self, session: str) -> None:
        self._unread.restart(session)
        self._queue.pending_messages_per_session.pop(session, None)
        self._queue.pending_event_ids_session.pop(session, None)


class _Answers(dict[str, "asyncio.Queue[Any]"]):
    """Messages by session; messages for a dropped session are discarded."""

    def __missing__(self, session: str) -> asyncio.Queue[Any]:
        return asyncio.Queue()


class Since:
    """Times since which keys have been present without interruption."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def restart(self, key: str | None) -> None:
        """Restart the time of a key."""
        self._since.pop(key or "", None)

    def longer_than(self, seconds: float, there: Collection[str]) -> list[str]:
        """Return the keys that have been present for `seconds`; keys that are not in `there` now are dropped."""
        now = time.monotonic()
        self._since = {key: self._since.get(key, now) for key in there}
        return [key for key, since in self._since.items() if now - since >= seconds]
