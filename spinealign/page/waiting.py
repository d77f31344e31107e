"""What waits in Gradio's queue: calls for their turn, and answers for somebody who fetches them."""

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
    """The queue of a page, with an end to what it keeps.

    By itself it keeps the answers of 2,000 sessions for ever, drops the oldest session also where its call still runs,
    stops for all of them then, and keeps a record of 10,000 calls.

    Args:
        queue: Gradio's queue, before the first call.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue, self._push = queue, queue.push
        self._unread = Since()
        queue.pending_messages_per_session = _Answers()
        queue.push = self.push
        queue.ANALYTICS_MAX_EVENTS = 0
        queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize  # it would make a table of the record after each call

    @property
    def is_stopped(self) -> bool:
        """Whether no call is answered any more."""
        return bool(self._queue.stopped)

    def uploads(self) -> str:
        """Return what the calls that wait or run say, with the paths of their uploads."""
        return " ".join(str(call.data.data) for call in self._calls() if call.data)

    async def push(self, body: Any, *arguments: Any, **options: Any) -> Any:
        """Take a call into the queue, if its session has a name that can be kept, and there is room for its answer."""
        if body.session_hash is not None and not 0 < len(body.session_hash) <= MAX_NAME:
            return False, "The session_hash is empty or too long.", "error"
        if len(self._queue.pending_event_ids_session.get(body.session_hash, ())) >= WAITING_PREDICTIONS:
            return False, "Fetch the answers to earlier calls first.", "queue_full"
        self._unread.restart(body.session_hash)
        if not self._make_room():
            return False, "Too many answers wait to be fetched; try again later.", "queue_full"
        return await self._push(body, *arguments, **options)

    def forget_unread(self, *, older_than: float = SECONDS_UNREAD) -> None:
        """Forget the answers of those who have asked for nothing and fetched nothing for a while.

        Args:
            older_than: Seconds.
        """
        for session in self._unread.longer_than(older_than, self._idle()):
            self._forget(session)

    def _make_room(self) -> bool:
        """Forget who has fetched all, then who waits longest for nothing, until one more answer can be kept."""
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
        """Return the sessions of which no call waits or runs, the oldest first."""
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
    """Messages by session; those for a session that was forgotten go nowhere."""

    def __missing__(self, session: str) -> asyncio.Queue[Any]:
        return asyncio.Queue()


class Since:
    """For how long something has been there, as far as somebody looked."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def restart(self, key: str | None) -> None:
        """Count for something from its next sight on."""
        self._since.pop(key or "", None)

    def longer_than(self, seconds: float, there: Collection[str]) -> list[str]:
        """Return what has been there for so long.

        Args:
            seconds: For how long.
            there: What is there now; what is not is forgotten.
        """
        now = time.monotonic()
        self._since = {key: self._since.get(key, now) for key in there}
        return [key for key, since in self._since.items() if now - since >= seconds]
