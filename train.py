"""Train a spine classifier: thin over `spinealign.training.pipeline`.

Three epochs on the 1,000 training images of the "cervical fracture" sample, on two CPU cores:

    python train.py --data_dir "cervical fracture" --output_dir out --num_train_epochs 3
"""

import sys

from spinealign.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]], prog="train.py"))
