"""The command `train`."""

from __future__ import annotations

from spinealign.errors import require


def run_train(arguments: list[str], prog: str) -> int:
    """Run `spinealign train`; its options are those of `training.arguments` and of transformers."""
    from spinealign.hub.training_push import TRAINING_PACKAGES, push_trained, split_off_push

    require(*TRAINING_PACKAGES, extra="train")
    from transformers.utils.logging import disable_progress_bar

    from spinealign.reporting.evaluation_text import format_cross_validation, format_evaluations, format_summary
    from spinealign.training.pipeline import run_training
    from spinealign.training.setup import parse_training_setup

    disable_progress_bar()  # for reading and writing weights
    setup, destination = split_off_push(parse_training_setup(arguments, prog=prog))
    result = run_training(setup)
    if result.evaluations:  # only in the main process
        for item in result.cross_validations:
            print(f"{format_cross_validation(item)}\n")
        print(f"{format_evaluations(result.evaluations)}\n\n{format_summary(result.evaluations)}")
        print(result.selection_note)
        print(f"The checkpoint is in {result.folder}")
        if destination is not None:
            print(push_trained(result.folder, destination).summary)
    return 0
