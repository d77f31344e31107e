"""Write axial CT phantoms as PNG with a manifest.

They are a positive control: the finding is real and there is no shortcut. Half of each split have a fracture of known
size.
"""

from __future__ import annotations

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `spinealign phantoms`."""
    parser.add_argument("folder", help="a new or empty folder")
    for split, count in (("train", 800), ("val", 100), ("test", 100)):
        parser.add_argument(f"--{split}", type=int, default=count, metavar="N", help="phantoms (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20_000_000, help="seed of the first phantom (default: %(default)s)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from spinealign.phantoms.phantom_set import write_phantoms

    counts = {split: getattr(options, split) for split in ("train", "val", "test") if getattr(options, split)}
    print(f"Wrote {write_phantoms(options.folder, counts, seed=options.seed)}")
    return 0
