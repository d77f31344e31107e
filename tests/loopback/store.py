"""Storage of the Hub on loopback: accounts, repositories with history, large files."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field

LARGE = (".onnx", ".parquet", ".png", ".safetensors")  # stored as Git LFS; .gitattributes of the real Hub has more


class RefusalError(Exception):
    """A response with an error status."""

    def __init__(self, status, code="", message=""):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Account:
    name: str
    orgs: tuple[str, ...] = ()
    role: str = "write"

    def writes_for(self, owner):
        return owner in (self.name, *self.orgs)


@dataclass(frozen=True)
class File:
    content: bytes
    large: bool

    @property
    def sha1(self):
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def sha256(self):
        return hashlib.sha256(self.content).hexdigest()

    @property
    def etag(self):
        return self.sha256 if self.large else self.sha1


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    title: str
    files: dict[str, File]


@dataclass
class Repo:
    owner: str
    private: bool = False
    sdk: str | None = None  # of Spaces
    gated: bool = False
    readers: set[str] = field(default_factory=set)
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, branch, title, files):
        parent = self.branches.get(branch)
        names = {name: file.sha256 for name, file in sorted(files.items())}
        oid = hashlib.sha1(json.dumps([parent, title, names]).encode()).hexdigest()
        self.commits[oid] = Commit(oid, parent, title, dict(files))
        self.branches[branch] = oid
        return oid

    def at(self, revision):
        oid = self.branches.get(revision, revision)
        if oid not in self.commits:
            raise RefusalError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return self.commits[oid]

    def history(self, revision="main"):
        """Return the commits, newest first."""
        found, oid = [], self.at(revision).oid
        while oid:
            found.append(self.commits[oid])
            oid = self.commits[oid].parent
        return found


class Store:
    """The storage; a lock makes changes atomic."""

    def __init__(self):
        self.lock = threading.RLock()
        self.accounts: dict[str, Account] = {}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.large_files: dict[str, bytes] = {}

    def account(self, token):
        if token is None:
            return None
        if token not in self.accounts:
            raise RefusalError(401, message="Invalid credentials in Authorization header")
        return self.accounts[token]

    def create(self, kind, repo_id, account, *, private, sdk=None):
        owner = repo_id.split("/")[0]
        if account is None:
            raise RefusalError(401, message="Invalid username or password.")
        if not account.writes_for(owner) or account.role == "read":
            raise RefusalError(403, message=f"You have no right to create a {kind} for {owner}")
        with self.lock:
            if (kind, repo_id) in self.repos:
                raise RefusalError(409, message=f"You already created this {kind} repo")
            repo = self.repos[kind, repo_id] = Repo(owner, private, sdk)
            repo.commit("main", "initial commit", {".gitattributes": File(b"*.onnx filter=lfs\n", False)})

    def readable(self, kind, repo_id, account):
        """Return a repository; an invisible one looks like a missing one."""
        repo = self.repos.get((kind, repo_id))
        seen = repo and (not repo.private or (account and account.writes_for(repo.owner)))
        if not seen:
            raise RefusalError(404 if account else 401, "RepoNotFound", "Repository not found")
        return repo

    def downloadable(self, kind, repo_id, account):
        repo = self.readable(kind, repo_id, account)
        allowed = account and (account.name in repo.readers or account.writes_for(repo.owner))
        if repo.gated and not allowed:
            raise RefusalError(403 if account else 401, "GatedRepo", f"Access to {kind} {repo_id} is restricted.")
        return repo

    def writable(self, kind, repo_id, account):
        repo = self.readable(kind, repo_id, account)
        if not account or not account.writes_for(repo.owner) or account.role == "read":
            raise RefusalError(403, message="You have no right to write here")
        return repo

    def keep_large(self, oid, content):
        if hashlib.sha256(content).hexdigest() != oid:
            raise RefusalError(400, message="The content does not fit its name")
        self.large_files[oid] = content
