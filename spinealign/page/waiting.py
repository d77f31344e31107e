"""What waits in Gradio's queue: calls for their turn, and answers for somebody who fetches them."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from gradio.utils import LRUCache

from spinealign.page.limits import ANSWERS_KEPT, SECONDS_UNREAD

if TYPE_CHECKING:
    from gradio.queueing import Queue


class Waiting:
    """The queue of a page, which by itself keeps 2,000 answers for ever and a record of 10,000 calls.

    Args:
        queue: Gradio's queue, before the first call.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._idle_since: dict[str, float] = {}
        queue.pending_messages_per_session = LRUCache(ANSWERS_KEPT)
        queue.ANALYTICS_MAX_EVENTS = 0
        queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize  # it would make a table of the record after each call

    def uploads(self) -> str:
        """Return what the calls that wait or run say, with the paths of their uploads."""
        events = self._queue.event_ids_to_events.values()
        return " ".join(str(event.data.data) for event in events if event.data)

    def forget_unread(self, *, older_than: float = SECONDS_UNREAD) -> None:
        """Forget the answers of those who have asked for nothing and fetched nothing for a while.

        Args:
            older_than: Seconds.
        """
        now = time.monotonic()
        busy = {event.session_hash for event in self._queue.event_ids_to_events.values()}
        answers, owed = self._queue.pending_messages_per_session, self._queue.pending_event_ids_session
        idle = (answers.keys() | owed.keys()) - busy
        self._idle_since = {session: self._idle_since.get(session, now) for session in idle}
        for session, since in self._idle_since.items():
            if now - since >= older_than:
                answers.pop(session, None)
                owed.pop(session, None)
