"""Figures of the embedded model for sagittal MR: outlines, levels, measures, time and rejection.

    make mri-figures

The cross-validation is read from the JSON file that `make mri-folds` writes; its levels and measures are decided again.
Time and rejection are those of the model.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np
from xray_model import AT_LEAST, AT_MOST, CORES, FIRST_SEED, met, paths_of, rejection_table, spread

from spinealign import Aligner
from spinealign.alignment.drawn_films import write_frontal_spines, write_lateral_spines
from spinealign.alignment.sagittal.measuring import kind_of
from spinealign.alignment.sagittal.scaling import FEWEST
from spinealign.checkpoint.files import SAGITTAL_MR
from spinealign.cohort.masks.loading import load_slices
from spinealign.evaluation.compared_values import VOLUMES, by_patient, compared, middle_slice
from spinealign.evaluation.measured_slice import MeasuredSlice
from spinealign.evaluation.named_series import NamedPicture
from spinealign.evaluation.slices import ALL, MID_SLICE, evaluate_slices, whole_series
from spinealign.metrics.agreement import Estimate
from spinealign.metrics.value_agreement import SagittalEvaluation
from spinealign.phantoms.phantom_set import write_phantoms
from spinealign.reporting.slice_figures import plot_values
from spinealign.reporting.slice_gallery import GalleryItem, draw_gallery
from spinealign.reporting.slice_tables import format_slices
from spinealign.reporting.tables import Table
from spinealign.training.sagittal.cross_validation import SagittalFoldPredictions, code_digest

MID = f"lumbar_mri, {MID_SLICE}"
FIGURES = (  # title, figure, images, relation, at least, goal
    ("Dice per body, lumbar_mri", "dice_per_body", "lumbar_mri", AT_LEAST, 0.94, 0.955),
    ("the same, worst patient", "dice_of_worst_patient", "lumbar_mri", AT_LEAST, 0.90, 0.92),
    ("body Dice, t2_space", "dice_body", "t2_space", AT_LEAST, 0.94, 0.95),
    ("disc Dice, t2_space", "dice_disc", "t2_space", AT_LEAST, 0.85, 0.88),
    ("canal Dice, t2_space", "dice_canal", "t2_space", AT_LEAST, 0.90, 0.92),
    ("bodies found, lumbar_mri", "bodies_found", "lumbar_mri", AT_LEAST, 0.995, None),
    ("bodies found, t2_space", "bodies_found", "t2_space", AT_LEAST, 0.995, None),
    ("false bodies, lumbar_mri", "false_bodies", "lumbar_mri", AT_MOST, 0.005, None),
    ("false bodies, t2_space", "false_bodies", "t2_space", AT_MOST, 0.005, None),
    ("L5 right when confident, SPIDER", "l5_right_if_certain", ALL, AT_LEAST, 0.98, 0.995),
    ("L5 right when confident, T1", "l5_right_if_certain", "T1", AT_LEAST, 0.98, 0.995),
    ("L5 right when confident, T2", "l5_right_if_certain", "T2", AT_LEAST, 0.98, 0.995),
    ("L5 right when confident, SPACE", "l5_right_if_certain", "SPACE", AT_LEAST, 0.98, 0.995),
    ("share confident, SPIDER series with boxes", "l5_certain", ALL, AT_LEAST, 0.90, 0.95),
    ("share confident, all SPIDER series", "l5_certain", "also without boxes", AT_LEAST, 0.90, 0.95),
    ("pictures cut below: falsely named with confidence", "falsely_named", ALL, AT_MOST, 0.01, 0),
    ("held-out lumbar series rejected", "rejected", ALL, AT_MOST, 0.04, None),
    ("vb3 to vb2: Dice per body", "dice_per_body", "lumbar_mri/vb3 to lumbar_mri/vb2", "", None, None),
    ("lumbar_mri to t2_space: Dice per body", "dice_per_body", "lumbar_mri to t2_space", "", None, None),
)
VALUES = (  # title, kind of measure, score, relation, at least, goal
    ("L1-L5 lordosis: mean error, degrees", "lordosis_l1_l5", "mean_error", AT_MOST, 2.8, 2.0),
    ("L1-L5 lordosis: 95 % of the errors, degrees", "lordosis_l1_l5", "p95_error", AT_MOST, 6.5, None),
    ("L1-L5 lordosis: bias, degrees", "lordosis_l1_l5", "bias", AT_MOST, 1.3, None),
    ("L1-L5 lordosis: r", "lordosis_l1_l5", "correlation", AT_LEAST, 0.92, None),
    ("segmental angle: mean error, degrees", "segment", "mean_error", AT_MOST, 2.7, 2.1),
    ("segmental angle: 95 % of the errors, degrees", "segment", "p95_error", AT_MOST, 7.0, None),
    ("segmental angle: bias, degrees", "segment", "bias", AT_MOST, 1.3, None),
    ("segmental angle: r", "segment", "correlation", AT_LEAST, 0.92, None),
    ("slip: mean error, mm", "slip_mm", "mean_error", AT_MOST, 0.95, 0.78),
    ("slip: r", "slip_mm", "correlation", "", None, None),
    ("disc height: mean error, mm", "disc_height_mm", "mean_error", AT_MOST, 0.85, 0.60),
    ("disc height: r", "disc_height_mm", "correlation", "", None, None),
    ("height ratio: mean error", "height_ratio", "mean_error", AT_MOST, 0.055, 0.045),
    ("height ratio: r", "height_ratio", "correlation", "", None, None),
    ("90 % interval of segmental angles: coverage", "segment", "coverage", "", None, None),
)
TIMES = (("cold", "s", 5.0, 3.0), ("warm", "s", 1.2, 0.8), ("memory", "GiB", 1.0, None))
TIMED = """
import json, os, resource, sys, time

started = time.perf_counter()
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])
import spinealign

aligner = spinealign.Aligner.from_pretrained(sys.argv[2] or None, kind="sagittal_mr")
aligner.measure(sys.argv[3])
cold, warm = time.perf_counter() - started, []
for path in sys.argv[3:]:
    started = time.perf_counter()
    aligner.measure(path)
    warm.append(time.perf_counter() - started)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
print(json.dumps({"cold": cold, "warm": sorted(warm)[len(warm) // 2], "memory": memory}))
"""
LUMBAR = "lumbar MR (SPIDER)"
GRADES = {  # smallest grade of each finding
    "Spondylolisthesis": 1, "Disc narrowing": 1, "Disc herniation": 1, "Modic": 1, "Pfirrman grade": 4,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with 'lumbar_mri', 'spider' and the other sets"
    )
    parser.add_argument("--model", help="checkpoint folder or Hub id (default: the embedded model)")
    parser.add_argument("--folds", type=Path, default=Path("models/mri/folds.json"), help="predictions of the folds")
    parser.add_argument("--images", type=int, default=60, help="images of each kind to reject (default: %(default)s)")
    parser.add_argument("--plot", type=Path, help="PNG file for the plots of Bland and Altman")
    parser.add_argument("--gallery", type=Path, help="PNG file for drawings of the worst slices")
    parser.add_argument("--markdown", action="store_true", help="print Markdown, for docs/lumbar-mri.md")
    parser.add_argument("--folds_only", action="store_true", help="print only the figures of the stored predictions")
    options = parser.parse_args()
    folds = SagittalFoldPredictions.load(options.folds)
    evaluation = evaluate_slices(folds.slices, pictures=folds.pictures, transfers=folds.transfers)
    show = Table.markdown if options.markdown else Table.text
    print(format_slices(evaluation, show))
    print(f"\nabstention\n\n{show(abstention_table(folds, options.data / 'spider' / 'radiological_gradings.csv'))}")
    print(f"\nworst\n\n{show(worst_table(folds))}")
    print(f"\nL5 on S1, {MID}: {'; '.join(sacral_slips(folds))}")
    if options.plot:
        plot_values(evaluation, MID, path=options.plot)
    if options.gallery:
        worst = worst_slices(folds.slices)
        items = [
            GalleryItem(f"{item.name}\n{caption}", item.names, item.reference, item.corners) for item, caption in worst
        ]
        draw_gallery(items, options.gallery)
    seconds = (
        {} if options.folds_only else time_of(options.model, sorted((options.data / "lumbar_mri").glob("*image*")))
    )
    print(f"\n{show(target_table(evaluation, seconds))}")
    stale = [] if folds.code == code_digest() else ["code"]
    if options.folds_only:
        print(f"\n{folds.folds} folds, {folds.epochs:g} epochs each; {describe(stale)}")
        return
    if folds.data != load_slices([options.data / "lumbar_mri", options.data / "spider"]).digest:
        stale.append("slices")
    print(f"\n{folds.folds} folds, {folds.epochs:g} epochs each; {describe(stale)}")
    aligner = Aligner.from_pretrained(options.model, kind=SAGITTAL_MR)
    print(
        f"\n{rejection_table(aligner, kinds_of_images(options.data, options.images), accepted={LUMBAR: 0.04}).text()}"
    )


def describe(stale: Sequence[str]) -> str:
    """Return whether the predictions of the folds fit the present code and slices."""
    return f"made with other {' and '.join(stale)}: run make mri-folds" if stale else "the digests agree"


def target_table(evaluation: SagittalEvaluation, seconds: dict[str, float]) -> Table:
    """Return the figures to reach beside what was measured."""
    rows = []
    for title, name, part, relation, required, goal in FIGURES:
        figure = evaluation.figure(name, part)
        rows.append(_row(title, figure.estimate if figure else None, relation, required=required, goal=goal))
    for title, kind, score, relation, required, goal in VALUES:
        agreement = evaluation.measure(kind, MID)
        estimate = agreement.scores.get(score) if agreement else None
        rows.append(_row(title, estimate, relation, required=required, goal=goal))
    for name, unit, required, goal in TIMES:
        if name in seconds:
            estimate = Estimate(seconds[name], seconds[name], seconds[name])
            title = f"volume of 21 slices to Alignment, {CORES} cores, {name}, {unit}"
            rows.append(_row(title, estimate, AT_MOST, required=required, goal=goal))
    return Table(("figure", "at least", "goal", "reached (95 % interval)", "met", "goal met"), rows, numbers=(1, 2, 3))


def _row(
    title: str, estimate: Estimate | None, relation: str, *, required: float | None, goal: float | None
) -> tuple[str, ...]:
    limits = ["" if limit is None else f"{relation} {limit:g}" for limit in (required, goal)]
    if estimate is None:
        return (title, *limits, "not measured", "", "")
    value = f"{estimate.value:.{4 if 0.99 <= estimate.value < 1 else 3}g}"
    if estimate.low < estimate.high:
        value += f" ({estimate.low:.3g} to {estimate.high:.3g})"
    reached = ["" if limit is None else met(_meets(estimate.value, relation, limit)) for limit in (required, goal)]
    return (title, *limits, value, *reached)


def _meets(value: float, relation: str, limit: float) -> bool:
    return value >= limit if relation == AT_LEAST else abs(value) <= limit


def abstention_table(folds: SagittalFoldPredictions, gradings: Path) -> Table:
    """Return what is lost where levels are not named with confidence: errors of measures, and graded findings."""
    rows = []
    for kind in ("segment", "disc_height_mm", "slip_mm"):
        errors = {
            certain: [
                abs(value.measured - value.reference)
                for item in folds.slices
                if item.reference and item.found.numbering.certain == certain
                for value in compared([item])
                if kind_of(value.name) == kind
            ]
            for certain in (True, False)
        }
        means = [f"{np.mean(of):.2f} ({len(of):,} values)" if of else "-" for of in errors.values()]
        rows.append((f"mean error of {kind}", *means))
    series = whole_series(folds.pictures)
    for finding, least in GRADES.items():
        graded = patients_with(gradings, finding, least)
        shares = []
        for certain in (True, False):
            items = [item for item in series if item.found.numbering.certain == certain]
            hits = sum(item.patient.rsplit("/", 1)[-1] in graded for item in items)
            shares.append(f"{hits / len(items):.1%} ({hits} of {len(items)} series)" if items else "-")
        name = finding.lower().replace("pfirrman ", "Pfirrmann ")
        rows.append((f"series of patients with {name} >= {least}", *shares))
    return Table(("", "levels certain", "not certain"), rows, numbers=(1, 2))


def sacral_slips(folds: SagittalFoldPredictions) -> Iterator[str]:
    """Yield the mean and standard deviation of the found slips of L5 on S1, for the limits of listhesis."""
    slices = [middle_slice(items).values for items in by_patient(folds.slices, VOLUMES).values()]
    for name in ("slip_l5_s1_mm", "slip_l5_s1_percent"):
        values = [found[name] for found in slices if name in found]
        yield f"{name} {np.mean(values):.1f} +- {np.std(values):.1f} in {len(values)} patients"


def patients_with(gradings: Path, finding: str, least: int) -> set[str]:
    """Return the patients with a disc of at least a grade."""
    with gradings.open(encoding="utf-8") as file:
        return {row["Patient"] for row in csv.DictReader(file) if int(row[finding] or 0) >= least}


def worst_slices(slices: Sequence[MeasuredSlice], count: int = 5) -> list[tuple[MeasuredSlice, str]]:
    """Return the slice of each patient with the largest error of lordosis, and that with the worst outline of a body.

    Each list has `count` patients, the worst first.
    """
    name, errors, outlines = "lordosis_l1_l5", list[tuple[MeasuredSlice, float]](), list[tuple[MeasuredSlice, float]]()
    for item in slices:
        if name in item.values.keys() & item.reference_values.keys():
            errors.append((item, item.values[name] - item.reference_values[name]))
        if found := [dice for dice, corners in zip(item.dice, item.reference) if corners]:
            outlines.append((item, min(found)))
    lordosis = _of_patients(sorted(errors, key=lambda pair: -abs(pair[1])), count)
    bodies = _of_patients(sorted(outlines, key=itemgetter(1)), count)
    return [
        *((item, f"lordosis off by {error:+.1f}°") for item, error in lordosis),
        *((item, f"smallest Dice {dice:.2f}") for item, dice in bodies),
    ]


def _of_patients(items: Sequence[tuple[MeasuredSlice, float]], count: int) -> list[tuple[MeasuredSlice, float]]:
    """Return the first item of each of the first patients."""
    first: dict[str, tuple[MeasuredSlice, float]] = {}
    for item, value in items:
        first.setdefault(item.patient, (item, value))
    return list(first.values())[:count]


def worst_table(folds: SagittalFoldPredictions, count: int = 10) -> Table:
    """Return the slices with the largest errors and the worst outlines, and the series that are named wrongly."""
    rows = [(item.name, caption) for item, caption in worst_slices(folds.slices, count)]
    rows += [(name_of(item), "L5 named wrongly with confidence") for item in wrongly_named(folds.pictures)]
    for item in whole_series(folds.pictures):
        if (count := len(item.found.bodies)) < FEWEST:
            rows.append((item.name, f"{count} bodies found, with a height of {item.found.height:.0f} pixels"))
    return Table(("slice or series", "what is wrong"), rows)


def wrongly_named(pictures: Sequence[NamedPicture]) -> list[NamedPicture]:
    """Return the whole and the cut pictures whose L5 is named wrongly with confidence."""
    chosen = [*whole_series(pictures), *(item for item in pictures if item.cut)]
    return [item for item in chosen if item.known and item.found.named not in (None, item.l5)]


def name_of(item: NamedPicture) -> str:
    return f"{item.name}, cut at {item.cut}" if item.cut else item.name


def time_of(model: str | None, paths: Sequence[Path]) -> dict[str, float]:
    """Return seconds from a volume to its alignment in a new process, cold and warm, and its memory in GiB."""
    command = [sys.executable, "-c", TIMED, str(CORES), model or "", *map(str, paths[:7])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def kinds_of_images(data: Path, count: int) -> Iterator[tuple[str, Iterable[object]]]:
    """Yield the name of each kind, and its images as `Aligner.measure` takes them."""
    yield LUMBAR, spread(sorted((data / "spider" / "sagittal").iterdir()), count)
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder)
        for name, write in (("lateral", write_lateral_spines), ("frontal", write_frontal_spines)):
            write(drawn / name, {"test": count}, seed=FIRST_SEED)
            yield f"drawn {name} spines (x-ray)", paths_of(drawn / name, count)
        write_phantoms(drawn / "necks", {"test": count}, seed=FIRST_SEED)
        yield "drawn necks (CT)", paths_of(drawn / "necks", count)
    for path in sorted((data / "out_of_distribution").iterdir()):
        yield path.name, paths_of(path, count)
    yield "frontal x-rays", paths_of(data / "scoliosis_xray" / "test", count)
    yield "cervical CT (val)", paths_of(data / "cervical fracture" / "val", count)
    yield "cervical CT (RSNA 2022)", paths_of(data / "rsna2022", count)


if __name__ == "__main__":
    main()
