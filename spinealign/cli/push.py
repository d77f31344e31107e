"""Push a checkpoint to the Hub in one commit: weights, ONNX, settings, metrics, plots and card, and no other file.

A card with gaps, a missing evaluation or a pickle is refused. The token is that of `hf auth login` or HF_TOKEN.
"""

from __future__ import annotations

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `spinealign push`."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="folder that spinealign train wrote")
    parser.add_argument("repo_id", metavar="REPO_ID", help="owner/name; created if missing")
    parser.add_argument("--private", action="store_true", help="create a private repository")
    parser.add_argument("--revision", metavar="BRANCH", help="branch to write to (default: the main branch)")
    parser.add_argument("--message", default="Upload with spinealign", help="commit message (default: %(default)s)")
    parser.add_argument("--dry_run", action="store_true", help="check the checkpoint and list what would be pushed")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from spinealign.hub.pushing import plan_push, push_to_hub
    from spinealign.hub.repository import Repository
    from spinealign.reporting.tables import Table

    if options.dry_run:
        Repository(options.repo_id, revision=options.revision)  # checks the names
        sizes = plan_push(options.checkpoint)
        rows = [(name, f"{size / 1e6:.3f} MB") for name, size in {**sizes, "total": sum(sizes.values())}.items()]
        print(f"{Table((), rows, numbers=(1,)).text()}\nNothing was sent to {options.repo_id}.")
        return 0
    commit = push_to_hub(
        options.checkpoint,
        options.repo_id,
        private=options.private,
        revision=options.revision,
        message=options.message,
    )
    print(commit.summary)
    return 0
