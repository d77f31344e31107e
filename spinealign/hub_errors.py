"""Plain messages for errors of the Hub's client."""

from __future__ import annotations

import errno

# By class of the client's error, with its status where the class has one; the transport has changed its package before,
# so classes are known by their names.
_SENTENCES = {
    "LocalTokenNotFoundError": "there is no token: log in (hf auth login), or set HF_TOKEN to one that may write.",
    "HFValidationError": "that is no name of a repository: it is owner/name, of letters, digits, '-', '_' and '.'.",
    "OfflineModeIsEnabled": "HF_HUB_OFFLINE forbids to ask the Hub, and the cache has not all of it: unset it once.",
    "IncompleteSnapshotError": "only a part of it lies in the cache, and the Hub cannot be asked for the rest: fetch "
    "it once more with the network, and with HF_HUB_OFFLINE unset.",
    "GatedRepoError 401": "it is gated: accept its conditions on its page, then log in (hf auth login) or set "
    "HF_TOKEN.",
    "GatedRepoError": "it is gated, and your account was not let in: ask for access on its page and wait.",
    "RepositoryNotFoundError 401": "the Hub shows no such repository without a login: check the name; if it is "
    "private, log in (hf auth login) or set HF_TOKEN.",
    "RepositoryNotFoundError": "there is none of this name that your account may see: check the name, and who you are "
    "(hf auth whoami).",
    "RevisionNotFoundError": "it has no revision {revision!r}: check the branch, tag or commit.",
    "DisabledRepoError": "the Hub has disabled it.",
    "HfHubHTTPError 400": "the Hub refuses the request: {detail}",
    "HfHubHTTPError 401": "the Hub does not accept your token: make a new one, then log in (hf auth login) or set "
    "HF_TOKEN.",
    "HfHubHTTPError 403": "your token may not do this here: give it the right to, on the page of your access tokens.",
    "HfHubHTTPError 409": "somebody else is changing it at the same time, and nothing of yours was written: try again.",
    "HfHubHTTPError 412": "somebody else has changed it in the meantime, and nothing of yours was written: look at "
    "what came, then push again.",
    "HfHubHTTPError 429": "the Hub asks you to slow down: wait some minutes, then try again.",
    "HfHubHTTPError 5xx": "the Hub has trouble of its own: try again later.",
    "HfHubHTTPError": "the Hub answers with an error: {detail}",
    "FileMetadataError": "what answers there is no Hub: check HF_ENDPOINT and the proxy.",
    "JSONDecodeError": "what answers there is no Hub: check HF_ENDPOINT and the proxy.",
    "ValueError": "{whole}",  # of metadata that the Hub does not take
    "KeyError": "what answers there is no Hub: check HF_ENDPOINT and the proxy.",
    "ConnectError": "the Hub cannot be reached: check the network, the proxy and HF_ENDPOINT.",
    "ProxyError": "the Hub cannot be reached: check the network, the proxy and HF_ENDPOINT.",
    "TimeoutException": "the Hub does not answer: check the network, then try again.",
    "UnsupportedProtocol": "HF_ENDPOINT is no address of a Hub: it begins with https://.",
    "TransportError": "the connection broke off, and nothing half is used: try again.",
}  # fmt: skip


_DISK = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOSPC, errno.EDQUOT}


def explain(error: BaseException, repo_id: str, *, revision: str | None = None) -> str:
    """Say what the Hub's client ran into, and what to do.

    Args:
        error: What it raised.
        repo_id: The repository that was asked for.
        revision: The branch, tag or commit that was asked for.

    Example:
        >>> explain(ConnectionRefusedError(111, "Connection refused"), "org/name")
        'org/name: Connection refused.'
    """
    cause: BaseException | None = error
    while cause is not None:
        sentence = _sentence(cause)
        if sentence:
            detail = getattr(cause, "server_message", None) or str(cause).strip().split("\n", maxsplit=1)[0]
            whole = " ".join(str(cause).split())
            told = sentence.format(revision=revision or "main", detail=detail, whole=whole)
            return f"{repo_id}: {told.removesuffix('.')}."
        cause = cause.__cause__
    return f"{repo_id}: {_told_by(error).removesuffix('.')}."


def _sentence(error: BaseException) -> str | None:
    status = getattr(getattr(error, "response", None), "status_code", 0)
    for kind in type(error).__mro__:
        for key in (f"{kind.__name__} {status}", f"{kind.__name__} {status // 100}xx", kind.__name__):
            if key in _SENTENCES:
                return _SENTENCES[key]
    return None


def _told_by(error: BaseException) -> str:
    """Return what an error without a sentence says: of the disk, of damaged metadata, of a size that does not fit."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        place = "; the cache lies where HF_HOME or HF_HUB_CACHE say" if error.errno in _DISK else ""
        return f"{error.strerror}{place}"
    if text.startswith("Consistency check failed"):
        return "what came is not whole, and nothing of it is used: try again."
    return text or type(error).__name__
