"""Train a classifier; the same as `spinealign train`.

Three epochs on the "cervical fracture" images:

    python train.py --data_dir "cervical fracture" --output_dir out --num_train_epochs 3
"""

import sys

from spinealign.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]], prog="train.py"))
