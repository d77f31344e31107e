"""Muted warnings and logs of decoders, which may quote the header and so name the patient."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_LOCK = RLock()  # the filters of `warnings` are global to the process


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Mute warnings and the given loggers inside the block, in one thread at a time."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        muted = [logger for logger in map(logging.getLogger, loggers) if not logger.disabled]
        for logger in muted:
            logger.disabled = True
        try:
            yield
        finally:
            for logger in muted:
                logger.disabled = False
