"""Fixtures: a Hub, that on loopback or, with a token, the real one; and the client pointed at it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from loopback.server import LoopbackHub
from loopback.store import Account

SERVER = ("HF_ENDPOINT", "HF_HUB_DISABLE_XET")  # of another server that is no Hub on loopback either
REAL_TOKEN, REAL_OWNER = "SPINEALIGN_HUB_TOKEN", "SPINEALIGN_HUB_OWNER"


@dataclass
class Hub:
    """A Hub and an account on it.

    Attributes:
        owner: Whom new repositories belong to.
        token: An access token that may write for the owner.
        cache: An empty folder for what is downloaded.
        endpoint: Its address; None is the real one.
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
        """Return the variables of a process of its own that talks to this Hub."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_") or name in SERVER}
        ours = {"HF_HOME": str(self.cache.parent), "HF_TOKEN": self.token, "HF_HUB_CACHE": str(self.cache)}
        if self.endpoint:
            ours |= {"HF_ENDPOINT": self.endpoint, "HF_HUB_DISABLE_XET": "1"}
        return {**kept, **ours, **more}

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Start `spinealign` in a process of its own."""
        script = "import sys; from spinealign.cli import main; sys.exit(main())"
        return self.start_python(script, *words, **variables)

    def start_python(self, script: str, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Start a script in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", script, *words], env=self.environment(**variables), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


@pytest.fixture
def loopback():
    """The server of the Hub on loopback, with an owner, a reader and a stranger."""
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
    """Point the client in this process at a Hub; it reads its environment when it is imported, and tests import it
    with the network switched off."""
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
    """The Hub on loopback, for what can be tried there alone."""
    return pointed_at(Hub("hospital", "hf_owner", tmp_path / "home" / "hub", loopback.endpoint), monkeypatch)


@pytest.fixture(params=["loopback", pytest.param("network", marks=pytest.mark.network)])
def hub(request, tmp_path, monkeypatch):
    """The Hub on loopback, and then the real one, if there is a token for it."""
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
