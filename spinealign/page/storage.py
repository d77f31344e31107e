"""How much of the disk uploads may take until they are read."""

from __future__ import annotations

from pathlib import Path

from spinealign.page.limits import MAX_STORED_BYTES, MAX_STORED_REQUESTS


class Storage:
    """Room for uploads; what one request sends has a folder, and its room is free again when the folder is gone."""

    def __init__(self, *, most_bytes: int = MAX_STORED_BYTES, most_requests: int = MAX_STORED_REQUESTS) -> None:
        self._most_bytes, self._most_requests = most_bytes, most_requests
        self._taken: dict[Path, int] = {}

    def take(self, folder: Path, size: int) -> bool:
        """Make a folder if there is room for what will lie in it.

        Args:
            folder: A new folder.
            size: Bytes, at most.

        Returns:
            Whether there was room.
        """
        if not self._has_room(size):
            self._taken = {other: taken for other, taken in self._taken.items() if other.is_dir()}
            if not self._has_room(size):
                return False
        folder.mkdir(parents=True)
        self._taken[folder] = size
        return True

    def settle(self, folder: Path, size: int) -> None:
        """Give back what was taken beyond the bytes that arrived.

        Args:
            folder: What was taken.
            size: Bytes.
        """
        self._taken[folder] = size

    def _has_room(self, size: int) -> bool:
        return len(self._taken) < self._most_requests and sum(self._taken.values()) + size <= self._most_bytes
