"""Error messages for exceptions of the Hub's client."""

from __future__ import annotations

import errno

# By name of the exception class, because the classes of the transport have changed their package before.
_NO_HUB = "the server is not a Hub: check HF_ENDPOINT and the proxy."
_UNREACHABLE = "the Hub cannot be reached: check the network, the proxy and HF_ENDPOINT."
_SENTENCES = {
    "LocalTokenNotFoundError": "there is no token: log in (hf auth login) or set HF_TOKEN.",
    "HFValidationError": "this is not a repository name: expected owner/name, of letters, digits, '-', '_' and '.'.",
    "OfflineModeIsEnabled": "HF_HUB_OFFLINE is set and the cache is incomplete: unset it once.",
    "IncompleteSnapshotError": "the cache is incomplete and the Hub cannot be reached: fetch it again with network "
    "access and without HF_HUB_OFFLINE.",
    "GatedRepoError": "it is gated: accept its conditions or ask for access on its page, and log in (hf auth login) or "
    "set HF_TOKEN.",
    "RepositoryNotFoundError": "the repository does not exist, or your account cannot see it: check the name, and log "
    "in (hf auth login) or set HF_TOKEN; hf auth whoami prints the account.",
    "RevisionNotFoundError": "it has no revision {revision!r}: check the branch, tag or commit.",
    "DisabledRepoError": "the Hub has disabled it.",
    "FileMetadataError": _NO_HUB,
    "JSONDecodeError": _NO_HUB,
    "KeyError": _NO_HUB,
    "ValueError": "{whole}",  # such as metadata that the Hub rejects
    "ConnectError": _UNREACHABLE,
    "ProxyError": _UNREACHABLE,
    "TimeoutException": "the Hub does not respond: check the network, then try again.",
    "UnsupportedProtocol": "HF_ENDPOINT is not a URL: it must begin with https://.",
    "TransportError": "the connection was interrupted: try again.",
}  # fmt: skip
_STATUSES = {  # of HfHubHTTPError
    400: "the Hub refuses the request: {detail}",
    401: "the Hub does not accept your token: create a new one, then log in (hf auth login) or set HF_TOKEN.",
    403: "your token lacks the permission for this: add it in the settings of your access tokens.",
    409: "another client is changing it at the same time, and nothing was written: try again.",
    412: "another client has changed it in the meantime, and nothing was written: check the changes, then push again.",
    429: "too many requests: wait a few minutes, then try again.",
}
_DISK = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOSPC, errno.EDQUOT}


def explain(error: BaseException, repo_id: str, *, revision: str | None = None) -> str:
    """Return a message with the cause of an exception of the Hub's client, and its remedy.

    Example:
        >>> explain(ConnectionRefusedError(111, "Connection refused"), "org/name")
        'org/name: Connection refused.'
    """
    cause: BaseException | None = error
    while cause is not None:
        if sentence := _sentence(cause):
            detail = getattr(cause, "server_message", None) or str(cause).strip().split("\n", maxsplit=1)[0]
            message = sentence.format(revision=revision or "main", detail=detail, whole=" ".join(str(cause).split()))
            return f"{repo_id}: {message.removesuffix('.')}."
        cause = cause.__cause__
    return f"{repo_id}: {_own_message(error).removesuffix('.')}."


def _sentence(error: BaseException) -> str | None:
    for kind in type(error).__mro__:
        if kind.__name__ in _SENTENCES:
            return _SENTENCES[kind.__name__]
        if kind.__name__ == "HfHubHTTPError":
            status = error.response.status_code  # type: ignore[attr-defined]
            internal = "the Hub has an internal error: try again later."
            return internal if status >= 500 else _STATUSES.get(status, "the Hub returned an error: {detail}")
    return None


def _own_message(error: BaseException) -> str:
    """Return the message of an exception of another kind, such as a full disk or a file of the wrong size."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        place = "; HF_HOME or HF_HUB_CACHE set the folder of the cache" if error.errno in _DISK else ""
        return f"{error.strerror}{place}"
    if text.startswith("Consistency check failed"):
        return "the download is incomplete: try again."
    return text or type(error).__name__
