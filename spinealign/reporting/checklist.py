"""The checklist at the end of the model card: what a reader of radiology papers asks, answered or marked as a gap."""

from __future__ import annotations

from spinealign.checkpoint.record import TrainingRecord
from spinealign.metrics.evaluation import percent, units_of
from spinealign.training.arguments import TrainingSetup

MISSING = "not reported"


def checklist_section(setup: TrainingSetup, record: TrainingRecord) -> str:
    """Return the items of CLAIM that apply to a model (Tejani et al., Radiology: AI 6, 2024, e240300).

    Args:
        setup: What the training was told.
        record: What was measured.
    """
    rows = "\n".join(f"| {item} | {answer} |" for item, answer in _answers(setup, record))
    return (
        "## Checklist\n\nAfter CLAIM, the Checklist for Artificial Intelligence in Medical Imaging (2024). What "
        f"spinealign cannot know is marked as {MISSING}.\n\n| item | answer |\n|---|---|\n{rows}"
    )


def _answers(setup: TrainingSetup, record: TrainingRecord) -> list[tuple[str, str]]:
    evaluations = record.evaluations
    names = ", ".join(item.collection for item in evaluations)
    patients = ", ".join(f"{item.collection}: {item.units}" for item in evaluations if item.unit == "patient")
    size = "; ".join(f"{item.collection}: {item.sources} sources in {item.images} images" for item in evaluations)
    ridge = "; ".join(f"{item.collection}: {percent(item.thumbnail_ridge_accuracy)}" for item in evaluations)
    filters = f"denoise {setup.enhancement.denoise}, equalize {setup.enhancement.equalize}"
    window = f"window {setup.enhancement.window_center:g}/{setup.enhancement.window_width:g} HU"
    audited = "verdict under Data" if any(record.audits.values()) else MISSING
    calibrated = "see Calibration and operating point" if record.decision.sources else record.decision.note
    return [
        ("Study design, prospective or retrospective", MISSING),
        ("Ethics approval, consent", MISSING),
        ("Data sources", f"{names}; see Data"),
        ("Eligibility criteria, dates, sites, scanners", MISSING),
        ("Demographics: age, sex, comorbidity", MISSING),
        (
            "De-identification",
            "no header, no name of a file and no image is stored with the model or shown on this card",
        ),
        ("Missing and damaged images", "skipped, and named by the training"),
        ("Preprocessing", f"{window}, {filters}, resized to one square, normalised"),
        ("Reference standard and who read it", f"the labels of the collections; readers and agreement {MISSING}"),
        ("Level, type and severity of the finding", MISSING),
        ("Sample size", size),
        ("Patients in the evaluation", patients or MISSING),
        ("Split, and at which level it is disjoint", _split(setup)),
        ("Audit for copies, leakage and confounding", audited),
        ("Model, initialisation, training, selection", "see Training"),
        ("Calibration", calibrated),
        (
            "Metrics with uncertainty",
            f"all scores, 95 % intervals over {units_of(evaluations)}, naive ones beside them",
        ),
        ("Trivial baseline on the same split", f"thumbnail ridge, {ridge}"),
        ("Comparison with radiologists", MISSING),
        ("External testing on other hospitals", MISSING),
        ("Robustness, subgroups", MISSING),
        ("Explanation of single answers", "occlusion heat maps (`spinealign predict --explain`)"),
        ("Failure cases", "see Failure cases"),
        ("Abstention", "see What it does not know"),
        ("Code, weights, licence", "spinealign, Apache-2.0; of the images as the notes say, or else " + MISSING),
        ("Registration, protocol, funding", MISSING),
    ]


def _split(setup: TrainingSetup) -> str:
    if setup.data.on_leakage == "keep":
        return "by image where the collection brings it so; **leakage was kept**"
    patients = "" if setup.data.split == "source" else "; disjoint patients are " + MISSING
    return f"no source slice stands in two parts, by name and by looks{patients}"
