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
from spinealign.errors import HubError
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
    """

    repo_id: str
    kind: Kind = "model"
    revision: str | None = None
    private: bool = False
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.revision == "":
            raise ValueError("revision is empty: name a branch, or omit it for the main branch.")

    def check_name(self) -> None:
        """Check the syntax of the name, without network access.

        Raises:
            HubError: If it is not a repository name.
        """
        from huggingface_hub import hf_hub_url

        with self._explained():
            hf_hub_url(self.repo_id, "README.md")

    def checked(self) -> Repository:
        """Check token, owner and visibility before a push, and return the repository with its owner.

        Raises:
            HubError: If there is no token, it is invalid or read-only, its account cannot write for the owner, or the
                repository is public but must be private.
        """
        self.check_name()
        with self._explained():
            account = self._api().whoami()
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
        found._refuse_public()
        return found

    def _refuse_public(self) -> None:
        if not self.private:
            return
        api = self._api()
        with self._explained():
            exists = api.repo_exists(self.repo_id, repo_type=self.kind)
            if exists and not api.repo_info(self.repo_id, repo_type=self.kind).private:
                raise HubError(f"{self.repo_id} is public. Make it private in its settings, or choose another name.")

    def push(self, files: Mapping[str, Content], *, message: str, owned: Collection[str] = ()) -> Commit:
        """Write files in a single commit; the repository is created if missing.

        Args:
            files: Name in the repository, and a path, the content, or a function from the current content (None if
                there is no such file) to the new content.
            message: Title of the commit.
            owned: Patterns of names; files of the repository that match and are not in `files` are deleted.

        Raises:
            HubError: If the Hub refuses or cannot be reached, or the repository was changed at the same time. The push
                is then applied completely (if only the response was lost) or not at all. The message says if this push
                created a repository and left it empty.
            ValueError: If the message is empty.
        """
        if not message.strip():
            raise ValueError("message is empty: pass a title for the commit.")
        api = self._api()
        with self._explained():
            created = not api.repo_exists(self.repo_id, repo_type=self.kind)
            if created:
                sdk = "gradio" if self.kind == "space" else None
                api.create_repo(
                    self.repo_id, repo_type=self.kind, private=self.private or None, exist_ok=True, space_sdk=sdk
                )
        try:
            with self._explained():
                return self._commit(api, files, message=message, owned=owned)
        except HubError as error:
            if not created:
                raise
            raise HubError(f"{error}{self._left_behind(api, files)}") from error

    def _left_behind(self, api: HfApi, files: Mapping[str, Content]) -> str:
        """Return a sentence on the repository that a failed push created; empty if the push was applied."""
        try:
            name = next(iter(files))
            if api.file_exists(self.repo_id, name, repo_type=self.kind, revision=self.revision):
                return ""
            state = "is empty"
        except Exception:  # errors of the client and of the transport
            state = "may be empty"
        return f" {self.repo_id} was created and {state}: push again, or delete it in its settings."

    def _commit(self, api: HfApi, files: Mapping[str, Content], *, message: str, owned: Collection[str]) -> Commit:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        self._refuse_public()
        if self.revision:
            api.create_branch(self.repo_id, repo_type=self.kind, branch=self.revision, exist_ok=True)
        head: Any = api.repo_info(self.repo_id, repo_type=self.kind, revision=self.revision)
        present = {item.rfilename for item in head.siblings or ()}
        stale = {name for name in present - files.keys() if any(fnmatch(name, pattern) for pattern in owned)}
        written = {
            name: content(self._read(api, name, head.sha) if name in present else None)
            if callable(content)
            else content
            for name, content in files.items()
        }
        commit = api.create_commit(
            self.repo_id,
            [
                *(CommitOperationAdd(name, content) for name, content in written.items()),
                *(CommitOperationDelete(name) for name in sorted(stale)),
            ],
            commit_message=message,
            repo_type=self.kind,
            revision=self.revision,
            parent_commit=head.sha,
        )
        return Commit(self.repo_id, str(commit.commit_url), commit.oid, changed=commit.oid != head.sha)

    def _read(self, api: HfApi, name: str, commit: str) -> bytes:
        with TemporaryDirectory() as folder:
            path = api.hf_hub_download(self.repo_id, name, repo_type=self.kind, revision=commit, local_dir=folder)
            return Path(path).read_bytes()

    def _api(self) -> HfApi:
        from huggingface_hub import HfApi

        return HfApi(token=self.token, library_name="spinealign", library_version=__version__)

    @contextmanager
    def _explained(self) -> Iterator[Any]:
        try:
            yield
        except HubError:
            raise
        except Exception as error:  # errors of the client and of the transport, ValueError, OSError
            raise HubError(explain(error, self.repo_id, revision=self.revision)) from error
