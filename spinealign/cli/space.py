"""The command `space`."""

from __future__ import annotations

import argparse

from spinealign.cli.options import told_of


def add_space(parser: argparse.ArgumentParser) -> None:
    """Describe `spinealign space`."""
    parser.description = (
        "Build a Space - the page with one model, without torch - and push it to the Hub in one commit. It keeps to "
        "the commit of a Hub model that is the newest now; a checkpoint folder travels inside it, and is refused for "
        "what push refuses. The token is that of `hf auth login` or HF_TOKEN."
    )
    parser.add_argument("repo_id", metavar="REPO_ID", help="owner/name of the Space; made where there is none")
    parser.add_argument("--model", metavar="MODEL", help="Hub id or checkpoint folder (default: the embedded model)")
    parser.add_argument("--revision", help="branch, tag or commit of a model on the Hub")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--private", action="store_true", help="nobody else may see it")
    place.add_argument("--output", metavar="DIR", help="write it into this new folder, and push nothing")
    parser.set_defaults(run=_space)


def _space(options: argparse.Namespace) -> int:
    from spinealign.hub.repository import Repository
    from spinealign.hub.space import build_space, push_space

    if options.output:
        Repository(options.repo_id, kind="space").check_name()
        title = options.repo_id.rsplit("/", maxsplit=1)[-1]
        folder = build_space(options.output, model=options.model, revision=options.revision, title=title)
        print(f"Wrote {folder}\nTry it: pip install -r requirements.txt, then python app.py, in that folder.")
        return 0
    commit = push_space(options.repo_id, model=options.model, revision=options.revision, private=options.private)
    print(told_of(commit))
    return 0
