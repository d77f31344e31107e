"""A repository of the Hub: who may write to it, one commit to it, and its refusals in plain words."""

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
    """What a push left on the Hub.

    Attributes:
        repo_id: The repository, owner/name.
        url: The page of the commit.
        oid: Its 40 digits; where nothing had changed, those of the commit before.
        changed: Whether anything was written.
    """

    repo_id: str
    url: str
    oid: str
    changed: bool


@dataclass(frozen=True)
class Repository:
    """A place on the Hub to which something is pushed.

    Attributes:
        repo_id: owner/name, or a name alone for the account of the token.
        kind: What it is a repository of.
        revision: The branch that is written to; one that is not there grows from the main one.
        private: Whether nobody else may see it.
        token: An access token; None takes the one of `hf auth login` or HF_TOKEN.
    """

    repo_id: str
    kind: Kind = "model"
    revision: str | None = None
    private: bool = False
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.revision == "":
            raise ValueError("revision is empty: name a branch, or leave it out for the main one.")

    def check_name(self) -> None:
        """Refuse what can be no name of a repository; the Hub is not asked.

        Raises:
            HubError: If it is none.
        """
        from huggingface_hub import hf_hub_url

        with self._in_plain_words():
            hf_hub_url(self.repo_id, "README.md")

    def checked(self) -> Repository:
        """Find out, before any work is done, whether a push could succeed.

        Returns:
            The repository with its owner.

        Raises:
            HubError: If there is no token, it is not accepted or may only read, the owner is somebody else, or what
                shall be private is public already.
        """
        self.check_name()
        with self._in_plain_words():
            account = self._api().whoami()
            user = account["name"]
        if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
            raise HubError(f"The token of {user} may only read: make one that may write, and log in with it.")
        owner, _, name = self.repo_id.rpartition("/")
        owners = [user, *(item["name"] for item in account.get("orgs", ()))]
        if owner and owner.lower() not in {known.lower() for known in owners}:
            raise HubError(
                f"{self.repo_id}: your token is that of {user}, who does not write for {owner}; {user} writes for "
                f"{', '.join(owners)}."
            )
        found = replace(self, repo_id=f"{owner or user}/{name}")
        found._refuse_public()
        return found

    def _refuse_public(self) -> None:
        if not self.private:
            return
        api = self._api()
        with self._in_plain_words():
            there = api.repo_exists(self.repo_id, repo_type=self.kind)
            if there and not api.repo_info(self.repo_id, repo_type=self.kind).private:
                raise HubError(f"{self.repo_id} is public already: make it private on its page, or take another name.")

    def push(self, files: Mapping[str, Content], *, message: str, owned: Collection[str] = ()) -> Commit:
        """Write files in one commit; the repository is made where there is none.

        Args:
            files: Name in the repository, and a path, the content, or what makes it of the content that lies there;
                None is told where there is no such file.
            message: What the commit is called.
            owned: Patterns of names that go with these files: what lies there and is not among them is deleted.

        Raises:
            HubError: If the Hub refuses or cannot be reached, or the repository was changed at the same time. It holds
                all of the push then, where only the answer was lost, or nothing of it; of a repository that this push
                made and left empty, the message says so.
            ValueError: If the message is empty.
        """
        if not message.strip():
            raise ValueError("message is empty: say in some words what the commit is.")
        api = self._api()
        with self._in_plain_words():
            made = not api.repo_exists(self.repo_id, repo_type=self.kind)
            if made:
                sdk = "gradio" if self.kind == "space" else None
                api.create_repo(
                    self.repo_id, repo_type=self.kind, private=self.private or None, exist_ok=True, space_sdk=sdk
                )
        try:
            with self._in_plain_words():
                return self._commit(api, files, message=message, owned=owned)
        except HubError as error:
            if not made:
                raise
            raise HubError(f"{error}{self._left_behind(api, files)}") from error

    def _left_behind(self, api: HfApi, files: Mapping[str, Content]) -> str:
        """Return a sentence on the repository that a failed push made; empty where the push is in it all the same."""
        try:
            name = next(iter(files))
            if api.file_exists(self.repo_id, name, repo_type=self.kind, revision=self.revision):
                return ""
            state = "is empty"
        except Exception:  # the client raises its own tree and the transport's
            state = "may be empty"
        return f" {self.repo_id} was made and {state}: push again, or delete it on its page."

    def _commit(
        self, api: HfApi, files: Mapping[str, Content], *, message: str, owned: Collection[str]
    ) -> Commit:  # fmt: skip
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        self._refuse_public()
        if self.revision:
            api.create_branch(self.repo_id, repo_type=self.kind, branch=self.revision, exist_ok=True)
        head: Any = api.repo_info(self.repo_id, repo_type=self.kind, revision=self.revision)
        there = {item.rfilename for item in head.siblings or ()}
        stale = {name for name in there - files.keys() if any(fnmatch(name, pattern) for pattern in owned)}
        written = {
            name: content(self._read(api, name, head.sha) if name in there else None) if callable(content) else content
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
    def _in_plain_words(self) -> Iterator[Any]:
        try:
            yield
        except HubError:
            raise
        except Exception as error:  # the client raises its own tree, the transport's, ValueError and OSError
            raise HubError(explain(error, self.repo_id, revision=self.revision)) from error
