"""Muted warnings and logs of decoders, which may quote the header and so name the patient.

Filters of `warnings` and of loggers are shared by all threads. The filters here match in a muted context only, so that
threads neither wait for each other nor lose warnings of their own.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LOGGERS = (
    "pydicom", "pydicom.pixels.decoders.base", "pydicom.pixels.utils", "nibabel.global",
    "PIL.TiffImagePlugin",  # reads Exif
)  # fmt: skip
_muted: ContextVar[bool] = ContextVar("muted", default=False)


class _AnyWarningIfMuted(type):
    def __subclasscheck__(cls, category: type) -> bool:
        return _muted.get()


class _MutedWarning(Warning, metaclass=_AnyWarningIfMuted):
    """A category that contains every warning in a muted context, and no warning in another."""


def _is_heard(record: logging.LogRecord) -> bool:
    return not _muted.get()


def _put_filter_first() -> None:
    if not warnings.filters or warnings.filters[0][2] is not _MutedWarning:
        warnings.simplefilter("ignore", _MutedWarning)


_put_filter_first()  # so that the filters are complete that `catch_warnings` of another thread puts back


@contextmanager
def muted() -> Iterator[None]:
    """Mute warnings and decoder logs of this thread inside the block."""
    _put_filter_first()
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_heard)
    token = _muted.set(True)
    try:
        yield
    finally:
        _muted.reset(token)
