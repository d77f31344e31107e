"""Limits of the page: sizes, counts and times."""

from __future__ import annotations

MAX_FILES = 100  # in a batch and in a request
MAX_FILE_BYTES = 32 * 1024**2
MAX_UPLOAD_BYTES = 256 * 1024**2  # all files of one request
MAX_AGENT_BYTES = 44 * 1024**2  # one request of an agent; files are Base64 text, a third longer
MAX_AGENTS_BYTES = 64 * 1024**2  # all unanswered requests of agents, which are held in memory
MAX_AGENT_VALUES = 1_000  # JSON values in a request of an agent; a file counts as two
MAX_BODY_BYTES = 256 * 1024  # a request without files
MAX_ADDRESS = 512  # characters in the path, and in the query string
MAX_NAME = 64  # characters in the session name of a client
MAX_STORED_BYTES = 1024**3  # all unread uploads, including those still arriving
MAX_STORED_REQUESTS = 1_000
BODY_SECONDS = 120.0  # until a request has arrived completely
SECONDS_KEPT = 300  # lifetime of an uploaded file that is never used
SECONDS_UNREAD = 120.0  # lifetime of an answer that is never fetched
SWEEP_SECONDS = 15.0
PREDICTIONS_AT_ONCE = 4
WAITING_PREDICTIONS = 64
ANSWERS_KEPT = 256  # calls that wait, run, or have an unfetched answer
SESSIONS_KEPT = 16  # Gradio counts each API call as a session and copies the page for it
VISITORS_KEPT = 1_000  # visitors whose latest image is remembered
MODELS_KEPT = 2  # loaded on request
THREADS = 8  # Gradio's default of 40 takes more memory, which is not returned
LOGINS = 10  # failed logins per minute from one address
ALL_LOGINS = 100  # failed logins per minute in total
LOGIN_SECONDS = 60.0
