"""The other commands, each a call of a public function. Their docstrings are the descriptions in the help."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from spinealign.cli.image_commands import load_predictor
from spinealign.cohort.options import chosen_options
from spinealign.config import DISCLAIMER
from spinealign.errors import require

LEAKS_FOUND = 3


def demo(options: Namespace) -> int:
    """Predict two phantoms and an image that is not CT, measure an x-ray and an MR slice, and draw the results."""
    from spinealign.demo import run_demo
    from spinealign.reporting.alignment_text import format_alignments
    from spinealign.reporting.prediction_text import format_predictions

    predictions, alignments = run_demo(Path(options.output), seed=options.seed)
    print(f"{format_predictions(predictions)}\n\n{format_alignments(alignments)}")
    print(f"\nHeat maps and overlays: {options.output}\n{DISCLAIMER}")
    return 0


def app(options: Namespace) -> int:
    """Serve the page in the browser, and its interface for programs. The model must be binary."""
    from spinealign.page import launch

    launch(
        load_predictor(options),
        host=options.host,
        port=options.port,
        mcp=options.mcp,
        allow_models=options.allow_models,
        hostnames=options.hostnames,
    )
    return 0


def info(options: Namespace) -> int:
    """Print versions, the engine, and a description of the model. No weights are loaded."""
    from spinealign.checkpoint.finding import find_checkpoint
    from spinealign.reporting.installation import describe
    from spinealign.reporting.tables import Table

    content = describe(find_checkpoint(options.model, revision=options.revision, engine=options.engine), options.engine)
    print(json.dumps(content, indent=2) if options.json else Table((), list(content.items())).text())
    return 0


def audit(options: Namespace) -> int:
    """Audit a labeled collection before training.

    It finds copies of one slice under any name, sources in two splits, shortcuts that predict the label, and images
    whose label may be wrong or that may be off topic. For films with the corners of vertebrae, it checks the corners
    and finds films of the same radiograph.
    """
    from spinealign.cohort.audit.auditing import audit as audit_collection
    from spinealign.cohort.landmarks.loading import has_corners
    from spinealign.reporting.audit_text import format_audit

    if has_corners(options.data):
        return _audit_films(options)
    if options.html is not None and not options.html.parent.is_dir():
        raise ValueError(f"There is no folder {options.html.parent} for the page; create it first.")
    if options.fix_split is not None and options.fix_split.exists() and any(options.fix_split.iterdir()):
        raise FileExistsError(f"{options.fix_split} is not empty; choose another folder or delete it.")
    found = audit_collection(
        options.data,
        crop_search=options.crop_search,
        seed=options.seed,
        cache_dir=options.cache_dir,
        **chosen_options(options),
    )
    for line in found.notes:
        print(line, file=sys.stderr)
    print(json.dumps(found.to_dict(), indent=2, allow_nan=False) if options.json else format_audit(found))
    if options.html is not None:
        print(f"\nWrote {found.save_html(options.html)}", file=sys.stderr)
    if options.fix_split is not None:
        print(f"\nWrote {found.fix_split(options.fix_split, seed=options.seed)}", file=sys.stderr)
    return LEAKS_FOUND if options.strict and found.has_leaks else 0


def _audit_films(options: Namespace) -> int:
    from spinealign.cohort.landmarks.auditing import audit_films
    from spinealign.reporting.landmark_audit_text import format_landmark_audit

    if options.html or options.fix_split or options.crop_search:
        raise ValueError(
            "An audit of films with corners has no options html, fix_split and crop_search; leave them out."
        )
    found = audit_films(options.data, repairs=options.repairs, progress=True)
    print(json.dumps(found.to_dict(), indent=2, allow_nan=False) if options.json else format_landmark_audit(found))
    return LEAKS_FOUND if options.strict and found.has_leaks else 0


def evaluate(options: Namespace) -> int:
    """Score a model on labeled images.

    Each accuracy is printed with the number of distinct source slices, an interval over them, and the accuracy of a
    linear model on 16x16 thumbnails of the same split. Images that the model was trained on are recognized and not
    scored.
    """
    require("sklearn", "matplotlib", extra="evaluate")
    from spinealign.evaluation.evaluating import cross_evaluate
    from spinealign.evaluation.evaluating import evaluate as evaluate_model
    from spinealign.reporting.evaluation_text import format_cross_validation, format_evaluations

    if options.folds and (options.output or options.split):
        raise ValueError("--folds scores the whole collection and writes no files; leave --output and --split out.")
    predictor = load_predictor(options)
    reading = {"cache_dir": options.cache_dir, "positive": options.positive, **chosen_options(options)}
    if options.folds:
        result = cross_evaluate(predictor, options.data, folds=options.folds, **reading)
        print(json.dumps(result.to_dict(), indent=2) if options.json else format_cross_validation(result))
        return 0
    evaluation = evaluate_model(
        predictor,
        options.data,
        split=options.split,
        on_leakage=options.on_leakage,
        **reading,
    )
    if options.output:
        evaluation.save(Path(options.output))
    print(json.dumps(evaluation.to_dict(), indent=2) if options.json else format_evaluations([evaluation]))
    return 0


def cache(options: Namespace) -> int:
    """List or delete the rendered images that `--cache_dir` keeps for further runs; other files there stay."""
    from spinealign.cohort.image_cache import clear_cache, list_cache
    from spinealign.reporting.tables import Table

    if options.action == "list":
        rows = [
            (entry.path.name, f"{entry.bytes / 1e6:.1f} MB", "in use" if entry.in_use else "")
            for entry in list_cache(options.cache_dir)
        ]
        print(Table(("entry", "size", ""), rows, numbers=(1,)).text())
        return 0
    entries = clear_cache(options.cache_dir)
    kept = sum(entry.in_use for entry in entries)
    size = sum(entry.bytes for entry in entries if not entry.in_use)
    print(f"Entries deleted from {options.cache_dir}: {len(entries) - kept} ({size / 1e6:.1f} MB)")
    if kept:
        print(f"Entries kept, because a process uses them: {kept}", file=sys.stderr)
    return 0


def phantoms(options: Namespace) -> int:
    """Write a set of phantoms as PNG.

    Axial CT of the neck, with a manifest, is a positive control: the finding is real, without a shortcut. Half of each
    split have a fracture of known size. Frontal spines have random curves and a table of their corners and Cobb
    angles, as the AASCE set has; lateral spines are examples of what a model for frontal films must reject. Sagittal
    slices have masks and a table of their measures.
    """
    from spinealign.alignment.drawn_films import write_frontal_spines, write_lateral_spines
    from spinealign.alignment.sagittal.drawn_slices import write_sagittal_spines
    from spinealign.phantoms.phantom_set import write_phantoms

    writers: dict[str, Callable[..., Path]] = {
        "neck": write_phantoms,
        "frontal": write_frontal_spines,
        "lateral": write_lateral_spines,
        "sagittal": write_sagittal_spines,
    }
    counts = {split: getattr(options, split) for split in ("train", "val", "test") if getattr(options, split)}
    print(f"Wrote {writers[options.kind](options.folder, counts, seed=options.seed)}")
    return 0


def train(arguments: list[str], prog: str) -> int:
    """Train a model; the options are those of `training.arguments` and of transformers."""
    from spinealign.hub.pushing import TRAINING_PACKAGES, push_trained, split_off_push

    require(*TRAINING_PACKAGES, extra="train")
    from transformers.utils.logging import disable_progress_bar

    from spinealign.training.running import run
    from spinealign.training.setup import parse_training_setup

    disable_progress_bar()  # for reading and writing weights
    setup, destination = split_off_push(parse_training_setup(arguments, prog=prog))
    result = run(setup)
    for text in result.texts:  # only in the main process
        print(text)
    if destination is not None and result.saved_in:
        print(push_trained(result.saved_in, destination).summary)
    return 0


def push(options: Namespace) -> int:
    """Push a checkpoint to the Hub in one commit: weights, ONNX, settings, metrics, plots and card, and no other file.

    A card with gaps, a missing evaluation or a pickle is refused. The token is that of `hf auth login` or HF_TOKEN.
    """
    from spinealign.hub.pushing import plan_push, push_to_hub
    from spinealign.hub.repository import Repository
    from spinealign.reporting.tables import Table

    if options.dry_run:
        Repository(options.repo_id, revision=options.revision)  # checks the names
        sizes = plan_push(options.checkpoint)
        rows = [(name, f"{size / 1e6:.3f} MB") for name, size in {**sizes, "total": sum(sizes.values())}.items()]
        print(f"{Table((), rows, numbers=(1,)).text()}\nNothing was sent to {options.repo_id}.")
        return 0
    where = {name: getattr(options, name) for name in ("private", "revision", "message")}
    print(push_to_hub(options.checkpoint, options.repo_id, **where).summary)
    return 0


def space(options: Namespace) -> int:
    """Build a Space with the page and one binary model, without torch, and push it to the Hub in one commit.

    A model of the Hub is pinned to its current commit. A checkpoint folder is copied into the Space and must pass the
    checks of push. The token is that of `hf auth login` or HF_TOKEN.
    """
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
