"""The page in a separate process, for load tests and screenshots."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
START = "import sys; from spinealign.cli import main; sys.exit(main())"


@contextlib.contextmanager
def served_page(folder: Path) -> Iterator[tuple[str, int]]:
    """Run `spinealign app` until the block ends.

    Args:
        folder: Folder for uploads.

    Yields:
        URL and process id.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", START, "app", "--port", str(port)], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(url, process)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(60)


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the page at a URL answers.

    Args:
        url: URL of the page.
        process: Process of the page.

    Raises:
        SystemExit: If the process has ended, or the page does not answer within two minutes.
    """
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("The page did not start.") from None
            time.sleep(0.1)
