"""Write `training_images.safetensors` for a checkpoint, from the collections that it was trained on.

    python benchmarks/training_images.py spinealign/assets/default "../shared/data/cervical fracture" build/phantoms

The collections are read and split as in the training, so the file is the one that the training would write.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.numpy import save_file

from spinealign.checkpoint.files import TRAINING_IMAGES_FILE
from spinealign.checkpoint.finding import find_checkpoint
from spinealign.cohort.training_images import training_digests
from spinealign.training.loading import index_collections, read_collections
from spinealign.training.setup import make_setup


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the checkpoint")
    parser.add_argument("data", nargs="+", help="collections of its training")
    options = parser.parse_args()
    checkpoint = find_checkpoint(options.folder)
    settings, training = checkpoint.settings, checkpoint.record.training
    setup = make_setup(
        options.data,
        split=settings.split,
        source_pattern=settings.source_pattern,
        on_leakage=training.on_leakage if training else "drop",
        seed=settings.seed or 0,
    )
    cohorts, target = index_collections(setup)
    if {cohort.name for cohort in cohorts} != set(settings.training_data):
        parser.error(f"the model was trained on {', '.join(settings.training_data)}")
    collections, _ = read_collections(setup, cohorts, target=target, preprocessing=settings.preprocessing)
    save_file(training_digests([item.cohort for item in collections]), options.folder / TRAINING_IMAGES_FILE)


if __name__ == "__main__":
    main()
