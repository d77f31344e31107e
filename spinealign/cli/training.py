"""The command `train`."""

from __future__ import annotations

from spinealign.errors import require

TRAINING_PACKAGES = (
    "accelerate", "datasets", "evaluate", "matplotlib", "monai", "onnx", "onnxscript", "scipy", "sklearn",
    "tensorboard", "torch", "transformers",
)  # fmt: skip


def run_training(arguments: list[str], prog: str) -> int:
    """Run `spinealign train`; its options are those of `modeling.arguments` and of transformers."""
    require(*TRAINING_PACKAGES, extra="train")
    from transformers.utils.logging import disable_progress_bar

    from spinealign.evaluation.tables import format_cross_validation, format_evaluations, format_summary
    from spinealign.modeling.arguments import parse_training_setup
    from spinealign.modeling.training import train

    disable_progress_bar()  # of reading and writing weights; long work keeps its own
    result = train(parse_training_setup(arguments, prog=prog))
    if result.evaluations:  # of several processes, one prints
        for item in result.cross_validations:
            print(f"{format_cross_validation(item)}\n")
        print(f"{format_evaluations(result.evaluations)}\n\n{format_summary(result.evaluations)}")
        print(result.selection)
        print(f"The checkpoint lies in {result.folder}")
    return 0
