"""How much the page takes in, and for how long it keeps it."""

from __future__ import annotations

MAX_FILES = 100  # of one batch, and of one request
MAX_FILE_BYTES = 32 * 1024**2
MAX_UPLOAD_BYTES = 256 * 1024**2  # of all files of one request
MAX_AGENT_BYTES = 44 * 1024**2  # of a request of an agent, which carries files as text, a third longer
MAX_AGENTS_BYTES = 64 * 1024**2  # of all requests of agents that are not answered yet; they lie in memory
MAX_AGENT_VALUES = 1_000  # of JSON in a request of an agent; each file is one, and its data URL looks like two
MAX_BODY_BYTES = 256 * 1024  # of a request that carries no file
MAX_ADDRESS = 512  # letters of the path of an address, and of its query
MAX_NAME = 64  # letters of what a client calls its session
MAX_STORED_BYTES = 1024**3  # of all uploads that were not read yet, those that are arriving among them
MAX_STORED_REQUESTS = 1_000
BODY_SECONDS = 120.0  # until a request has arrived as a whole
SECONDS_KEPT = 300  # of a file that was uploaded and never asked about
SECONDS_UNREAD = 120.0  # of an answer that nobody fetches
SWEEP_SECONDS = 15.0
PREDICTIONS_AT_ONCE = 4
WAITING_PREDICTIONS = 64
ANSWERS_KEPT = 256  # calls that wait, run, or have an answer that nobody has fetched
SESSIONS_KEPT = 16  # Gradio counts each call of a program as a session, and copies the page for each
PEOPLE_KEPT = 1_000  # of whom the page knows which of their images is the latest
MODELS_KEPT = 2  # that people asked for
THREADS = 8  # each keeps memory of its own, so 40 of them, as Gradio starts, take it without giving it back
LOGINS = 10  # that fail in a minute from one address, after which it waits
ALL_LOGINS = 100  # that fail in a minute from anywhere
LOGIN_SECONDS = 60.0
