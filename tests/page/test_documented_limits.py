"""Numbers and names in the documentation of the page, compared with the code."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT

from spinealign.page.limits import (
    ALL_LOGINS,
    ANSWERS_KEPT,
    BODY_SECONDS,
    LOGIN_SECONDS,
    LOGINS,
    MAX_AGENT_BYTES,
    MAX_AGENT_VALUES,
    MAX_AGENTS_BYTES,
    MAX_BODY_BYTES,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_STORED_BYTES,
    MAX_STORED_REQUESTS,
    MAX_UPLOAD_BYTES,
    PREDICTIONS_AT_ONCE,
    SECONDS_KEPT,
    SECONDS_UNREAD,
    WAITING_PREDICTIONS,
)

MIB = 1024**2
MINUTES = {1: "minute", 2: "two minutes", 5: "five minutes"}
LIMITS = {
    "security.md": [
        f"a file above {MAX_FILE_BYTES // MIB} MiB",
        f"an upload above {MAX_UPLOAD_BYTES // MIB} MiB, another request above {MAX_BODY_BYTES // 1024} KiB",
        f"message above {MAX_AGENT_BYTES // MIB} MiB or {MAX_AGENT_VALUES:,} JSON values",
        f"timeout after {MINUTES[BODY_SECONDS / 60]}",
        f"refused above {MAX_FILES}, in a request and in a batch",
        f"at most {LOGINS} failed logins per {MINUTES[LOGIN_SECONDS / 60]} from one address, {ALL_LOGINS} in total",
        f"at most {MAX_STORED_BYTES // 1024**3} GiB and {MAX_STORED_REQUESTS:,} requests in total, each for "
        f"{MINUTES[SECONDS_KEPT / 60]}",
        f"keeps {ANSWERS_KEPT} answers, each for {MINUTES[SECONDS_UNREAD / 60]}",
        f"{PREDICTIONS_AT_ONCE} calls run, {WAITING_PREDICTIONS} wait, further calls are refused; agents have "
        f"{PREDICTIONS_AT_ONCE} separate slots and {MAX_AGENTS_BYTES // MIB} MiB in total",
    ],
    "api.md": [
        f"a list of at most {MAX_FILES} files",
        f"up to {MAX_FILE_BYTES // MIB} MiB, a request up to {MAX_UPLOAD_BYTES // MIB} MiB",
        f"up to {MAX_AGENT_BYTES // MIB} MiB, enough for one file of {MAX_FILE_BYTES // MIB} MiB, and "
        f"{MAX_AGENT_VALUES:,} JSON values",
        f"requests of all agents may have {MAX_AGENTS_BYTES // MIB} MiB in total",
    ],
    "hosting.md": [
        f"client_max_body_size {MAX_UPLOAD_BYTES // MIB}m;",
        f"uploads take at most {MAX_STORED_BYTES // 1024**3} GiB",
    ],
}


@pytest.mark.parametrize("name", LIMITS)
def test_documented_limits_are_those_of_the_code(name):
    text = " ".join((ROOT / "docs" / name).read_text().split())
    for stated in LIMITS[name]:
        assert stated in text


def test_an_agent_can_send_the_largest_file():
    assert MAX_AGENT_BYTES > 4 * MAX_FILE_BYTES / 3, "base64 needs a third more"
    assert MAX_UPLOAD_BYTES > MAX_FILE_BYTES


def test_files_named_in_the_security_notes_exist():
    text = (ROOT / "docs" / "security.md").read_text()
    tests = re.findall(r"`(?:tests/page/)?(test_\w+\.py)`", text)
    modules = re.findall(r"`(spinealign/[\w/]+\.py)`", text)
    assert tests
    assert modules
    assert all((ROOT / "tests" / "page" / name).is_file() for name in tests)
    assert all((ROOT / name).is_file() for name in modules)
