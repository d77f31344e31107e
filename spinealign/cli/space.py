"""Build a Space with the page and one model, without torch, and push it to the Hub in one commit.

A model of the Hub is pinned to its current commit. A checkpoint folder is copied into the Space and must pass the
checks of push. The token is that of `hf auth login` or HF_TOKEN.
"""

from __future__ import annotations

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `spinealign space`."""
    parser.add_argument("repo_id", metavar="REPO_ID", help="owner/name of the Space; created if missing")
    parser.add_argument("--model", metavar="MODEL", help="Hub id or checkpoint folder (default: the embedded model)")
    parser.add_argument("--revision", help="branch, tag or commit of a model on the Hub")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--private", action="store_true", help="create a private Space")
    place.add_argument("--output", metavar="DIR", help="write the Space into this new folder and push nothing")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from spinealign.hub.repository import Repository
    from spinealign.hub.space import build_space, push_space

    if options.output:
        Repository(options.repo_id, kind="space")  # checks the name
        title = options.repo_id.rsplit("/", maxsplit=1)[-1]
        folder = build_space(options.output, model=options.model, revision=options.revision, title=title)
        print(f"Wrote {folder}\nTo try it, run in that folder: pip install -r requirements.txt, then python app.py")
        return 0
    print(push_space(options.repo_id, model=options.model, revision=options.revision, private=options.private).summary)
    return 0
