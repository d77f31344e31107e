"""Repositories on the Hub: permissions, single commits, error messages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from spinealign._version import __version__
from spinealign.errors import HubError, SpineAlignError
from spinealign.hub_errors import explain

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Kind = Literal["model", "dataset", "space"]
Content: TypeAlias = Path | bytes | Callable[[bytes | None], bytes]


@dataclass(frozen=True)
class Commit:
    """Result of a push.

    Attributes:
        repo_id: The repository, `owner/name`.
        url: URL of the commit.
        oid: Hash of the commit; of the previous one if nothing changed.
        changed: Whether anything was written.
    """

    repo_id: str
    url: str
    oid: str
    changed: bool

    @property
    def summary(self) -> str:
        """One line on what the push did."""
        return f"{'Pushed to' if self.changed else 'Nothing has changed since'} {self.url}"


@dataclass(frozen=True)
class Repository:
    """Target of a push.

    Attributes:
        repo_id: `owner/name`, or `name` for the account of the token.
        kind: Type of the repository.
        revision: Branch; it is created from the main branch if missing.
        private: Whether the repository must be private.
        token: Access token; None uses `hf auth login` or HF_TOKEN.

    Raises:
        HubError: If `repo_id` is not a repository name.
        ValueError: If the revision is empty.
    """

    repo_id: str
    kind: Kind = "model"
    revision: str | None = None
    private: bool = False
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.revision == "":
            raise ValueError("revision is empty: name a branch, or omit it for the main branch.")
        from huggingface_hub import hf_hub_url

        with self._explained():
            hf_hub_url(self.repo_id, "README.md")  # checks the name

    def checked(self) -> Repository:
        """Check token, owner and visibility before a push, and return the repository with its owner.

        Raises:
            HubError: If there is no token, it is invalid or read-only, its account cannot write for the owner, or the
                repository is public but must be private.
        """
        with self._explained() as api:
            account = api.whoami()
            user = account["name"]
        if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
            raise HubError(f"The token of {user} is read-only. Log in with a token that has write permission.")
        owner, _, name = self.repo_id.rpartition("/")
        owners = [user, *(item["name"] for item in account.get("orgs", ()))]
        if owner and owner.lower() not in {known.lower() for known in owners}:
            raise HubError(
                f"{self.repo_id}: your token belongs to {user}, who cannot write for {owner}, only for "
                f"{', '.join(owners)}."
            )
        found = replace(self, repo_id=f"{owner or user}/{name}")
        with found._explained() as api:
            found._main_branch(api)
        return found

    def push(self, files: Mapping[str, Content], *, message: str, owned: Collection[str] = ()) -> Commit:
        """Write files in a single commit; the repository is created if missing.

        `HfApi.upload_folder` is not used, because since huggingface_hub 2 it may divide a push into several commits.

        Args:
            files: Name in the repository, and a path, the content, or a function from the current content (None if
                there is no such file) to the new content.
            message: Title of the commit.
            owned: Patterns of names; files of the repository that match and are not in `files` are deleted.

        Raises:
            HubError: If the Hub refuses or cannot be reached, or the repository was changed at the same time. The push
                is then applied completely (if only the response was lost) or not at all. The message says if this push
                created the repository.
            ValueError: If the message is empty.
        """
        if not message.strip():
            raise ValueError("message is empty: pass a title for the commit.")
        note = ""
        with self._explained() as api:
            if self._main_branch(api) is None:
                sdk = "gradio" if self.kind == "space" else None
                api.create_repo(
                    self.repo_id, repo_type=self.kind, private=self.private or None, exist_ok=True, space_sdk=sdk
                )
                note = f" {self.repo_id} was created and may be empty: push again, or delete it in its settings."
        with self._explained(note) as api:
            head = self._main_branch(api)
            if self.revision:
                api.create_branch(self.repo_id, repo_type=self.kind, branch=self.revision, exist_ok=True)
                head = api.repo_info(self.repo_id, repo_type=self.kind, revision=self.revision)
            commit = api.create_commit(
                self.repo_id,
                self._operations(api, files, head=head, owned=owned),
                commit_message=message,
                repo_type=self.kind,
                revision=self.revision,
                parent_commit=head.sha,
            )
        return Commit(self.repo_id, str(commit.commit_url), commit.oid, changed=commit.oid != head.sha)

    def _main_branch(self, api: HfApi) -> Any:
        """Return the state of the main branch, or None if there is no repository; refuse one that must be private."""
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            found: Any = api.repo_info(self.repo_id, repo_type=self.kind)
        except RepositoryNotFoundError:
            return None
        if self.private and not found.private:
            raise HubError(f"{self.repo_id} is public. Make it private in its settings, or choose another name.")
        return found

    def _operations(
        self, api: HfApi, files: Mapping[str, Content], *, head: Any, owned: Collection[str]
    ) -> Iterator[Any]:
        """Yield the additions and deletions of a commit on top of `head`."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        present = {item.rfilename for item in head.siblings or ()}
        for name, content in files.items():
            current = self._read(api, name, head.sha) if callable(content) and name in present else None
            yield CommitOperationAdd(name, content(current) if callable(content) else content)
        for name in sorted(present - files.keys()):
            if any(fnmatch(name, pattern) for pattern in owned):
                yield CommitOperationDelete(name)

    def _read(self, api: HfApi, name: str, commit: str) -> bytes:
        with TemporaryDirectory() as folder:
            path = api.hf_hub_download(self.repo_id, name, repo_type=self.kind, revision=commit, local_dir=folder)
            return Path(path).read_bytes()

    @contextmanager
    def _explained(self, note: str = "") -> Iterator[HfApi]:
        """Yield a client, and raise HubError for its errors; `note` ends the message."""
        from huggingface_hub import HfApi

        try:
            yield HfApi(token=self.token, library_name="spinealign", library_version=__version__)
        except SpineAlignError:
            raise
        except Exception as error:  # errors of the client and of the transport, ValueError, OSError
            raise HubError(f"{explain(error, self.repo_id, revision=self.revision)}{note}") from error
