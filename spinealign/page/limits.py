"""How much the page takes in, and for how long it keeps it."""

from __future__ import annotations

MAX_FILES = 100  # of one batch, and of one request
MAX_FILE_BYTES = 32 * 1024**2
MAX_UPLOAD_BYTES = 256 * 1024**2  # of all files of one request
MAX_BODY_BYTES = 1024**2  # of a request that carries no file
BODY_SECONDS = 120.0  # until a request has arrived as a whole
SECONDS_KEPT = 300  # of a file that was uploaded and never asked about
SWEEP_SECONDS = 15.0
PREDICTIONS_AT_ONCE = 4
WAITING_PREDICTIONS = 64
