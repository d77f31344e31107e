"""Disk quota of uploads that are not read yet."""

from __future__ import annotations

from pathlib import Path

from spinealign.page.limits import MAX_STORED_BYTES, MAX_STORED_REQUESTS


class Storage:
    """Disk quota of uploads; the share of a request is released when its folder is deleted.

    Args:
        most_bytes: Largest total size in bytes.
        most_requests: Largest number of requests.
    """

    def __init__(self, *, most_bytes: int = MAX_STORED_BYTES, most_requests: int = MAX_STORED_REQUESTS) -> None:
        self._most_bytes, self._most_requests = most_bytes, most_requests
        self._taken: dict[Path, int] = {}

    def take(self, folder: Path, size: int) -> bool:
        """Create a folder for at most `size` bytes, and return whether the quota allowed it."""
        if not self._fits(size):
            self._taken = {other: taken for other, taken in self._taken.items() if other.is_dir()}
            if not self._fits(size):
                return False
        folder.mkdir(parents=True)
        self._taken[folder] = size
        return True

    def settle(self, folder: Path, size: int) -> None:
        """Replace the reserved size of a folder by the size of its files in bytes."""
        self._taken[folder] = size

    def _fits(self, size: int) -> bool:
        return len(self._taken) < self._most_requests and sum(self._taken.values()) + size <= self._most_bytes
