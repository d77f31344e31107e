"""Fixtures: a Hub (on loopback or, with a token, the real one), the client configured for it, and checkpoints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from loopback.server import LoopbackHub
from loopback.store import Account
from loopback.versions import as_version_1

SERVER = ("HF_ENDPOINT", "HF_HUB_DISABLE_XET")  # kept: they name another test server
REAL_TOKEN, REAL_OWNER = "SPINEALIGN_HUB_TOKEN", "SPINEALIGN_HUB_OWNER"


@dataclass
class Hub:
    """A Hub and an account on it.

    Attributes:
        owner: Owner of new repositories.
        token: Access token with write permission for the owner.
        cache: Empty folder for downloads.
        endpoint: URL; None for the real Hub.
    """

    owner: str
    token: str
    cache: Path
    endpoint: str | None

    def __post_init__(self):
        self.made: list[str] = []

    def new_id(self) -> str:
        """Return the id of a repository that does not exist."""
        self.made.append(f"{self.owner}/spinealign-test-{uuid.uuid4().hex[:12]}")
        return self.made[-1]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a process that uses this Hub."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_") or name in SERVER}
        ours = {"HF_HOME": str(self.cache.parent), "HF_TOKEN": self.token, "HF_HUB_CACHE": str(self.cache)}
        if self.endpoint:
            ours |= {"HF_ENDPOINT": self.endpoint, "HF_HUB_DISABLE_XET": "1"}
        return {**kept, **ours, **more}

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Start `spinealign` in a new process."""
        script = "import sys; from spinealign.cli import main; sys.exit(main())"
        return self.start_python(script, *words, **variables)

    def start_python(self, script: str, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Start a script in a new process."""
        return subprocess.Popen(
            [sys.executable, "-c", script, *words], env=self.environment(**variables), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


@pytest.fixture
def loopback():
    """Server on loopback, with the accounts of an owner, a reader and a stranger."""
    server = LoopbackHub()
    server.store.accounts = {
        "hf_owner": Account("ada", orgs=("hospital",)),
        "hf_reader": Account("ada", orgs=("hospital",), role="read"),
        "hf_stranger": Account("eve"),
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def pointed_at(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Configure the client of this process for a Hub.

    The client reads its environment at import, and tests import it with HF_HUB_OFFLINE set.
    """
    from huggingface_hub import constants

    monkeypatch.setenv("HF_TOKEN", hub.token)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub.cache))
    if hub.endpoint:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        files = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    return hub


@pytest.fixture
def local_hub(loopback, tmp_path, monkeypatch):
    """The Hub on loopback, for tests that the real Hub does not allow."""
    return pointed_at(Hub("hospital", "hf_owner", tmp_path / "home" / "hub", loopback.endpoint), monkeypatch)


@pytest.fixture(params=["loopback", pytest.param("network", marks=pytest.mark.network)])
def hub(request, tmp_path, monkeypatch):
    """The Hub on loopback, then the real one if there is a token for it."""
    if request.param == "loopback":
        yield request.getfixturevalue("local_hub")
        return
    from huggingface_hub import HfApi

    token, owner = os.environ.get(REAL_TOKEN), os.environ.get(REAL_OWNER)
    if not token or not owner:
        pytest.skip(f"set {REAL_TOKEN} and {REAL_OWNER} to run this on the real Hub")
    real = pointed_at(Hub(owner, token, tmp_path / "home" / "hub", None), monkeypatch)
    yield real
    for kind in ("model", "dataset", "space"):
        for repo_id in real.made:
            HfApi(token=token).delete_repo(repo_id, repo_type=kind, missing_ok=True)


@pytest.fixture(params=[1, 2], ids=["format 1", "format 2"])
def any_checkpoint(request, tmp_path, tiny_checkpoint):
    """The tiny checkpoint in each format version."""
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "tiny", ignore=shutil.ignore_patterns("training"))
    return as_version_1(folder) if request.param == 1 else folder
