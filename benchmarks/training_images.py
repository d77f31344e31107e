"""Write `training_images.safetensors` for a checkpoint, from the collections that it was trained on.

    python benchmarks/training_images.py spinealign/assets/default "../shared/data/cervical fracture" build/phantoms

The collections are read and split as in the training, so the file is the one that the training would write.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from spinealign.checkpoint.finding import find_checkpoint
from spinealign.training.arguments import DataArguments
from spinealign.training.loading import Reading, index_collections, read_collections, split_collections
from spinealign.training.saving import save_training_images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the checkpoint")
    parser.add_argument("data", nargs="+", help="collections of its training")
    options = parser.parse_args()
    checkpoint = find_checkpoint(options.folder)
    settings, training = checkpoint.settings, checkpoint.record.training
    names = DataArguments(
        options.data,
        split=settings.split,
        source_pattern=settings.source_pattern,
        on_leakage=training.on_leakage if training else "drop",
    )
    cohorts = index_collections(options.data, settings.source_pattern)
    if {cohort.name for cohort in cohorts} != set(settings.training_data):
        parser.error(f"the model was trained on {', '.join(settings.training_data)}")
    reading = Reading(seed=settings.seed or 0)
    loaded = read_collections(cohorts, settings.preprocessing, reading=reading)
    save_training_images(options.folder, split_collections(loaded, names, reading=reading))


if __name__ == "__main__":
    main()
