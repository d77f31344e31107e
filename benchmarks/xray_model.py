"""Figures of the embedded x-ray model: accuracy, intervals, time and rejection.

    make xray-figures

The test films are measured with the model; the cross-validation is read from the JSON file that `make xray-folds`
writes.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from spinealign import Aligner
from spinealign.alignment.drawn_films import write_lateral_spines
from spinealign.alignment.frontal import FrontalMeasurer
from spinealign.cohort.landmarks.film import Film
from spinealign.cohort.landmarks.loading import load_films
from spinealign.errors import ImageError
from spinealign.evaluation.films import FilmEvaluation, cross_validated_agreement, evaluate_films
from spinealign.metrics.agreement import LARGEST, Agreement
from spinealign.phantoms.phantom_set import write_phantoms
from spinealign.reading.discovery import expand_paths
from spinealign.reporting.film_figures import plot_agreements
from spinealign.reporting.film_tables import format_agreements
from spinealign.reporting.tables import Table
from spinealign.training.vertebrae.cross_validation import FoldPredictions, code_digest

FIRST_SEED = 20_000_000  # seed of the first phantom; none of these was used for training
CORES = 2
AT_MOST, AT_LEAST = "<=", ">="
TARGETS = (  # figure, score, factor, relation, required, goal
    ("SMAPE of the three angles, %", "smape", 1, AT_MOST, 7.4, 6.5),
    ("largest angle: mean error, degrees", "mean_error", 1, AT_MOST, 3.2, 2.7),
    ("largest angle: 90 % of the errors, degrees", "p90_error", 1, AT_MOST, 6.5, 5.5),
    ("severity class, quadratic kappa", "severity_kappa", 1, AT_LEAST, 0.91, 0.94),
    ("corners: median error, share of the width", "landmark_error", 1, AT_MOST, 0.11, 0.09),
)
INTERVALS = (  # of the cross-validation
    ("90 % interval, cross-validated: coverage, %", "coverage", 100, (88.0, 93.0)),
    ("90 % interval, cross-validated: mean width, degrees", "interval_width", 1, (0.0, 14.0)),
)
TIMED = """
import json, os, sys, time

started = time.perf_counter()
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])
import spinealign

model, paths = sys.argv[2] or None, sys.argv[3:]
spinealign.measure(paths[0], model=model)
cold = time.perf_counter() - started
warm = []
for path in paths[1:]:
    started = time.perf_counter()
    spinealign.measure(path, model=model)
    warm.append(time.perf_counter() - started)
print(json.dumps({"cold": cold, "warm": sorted(warm)[len(warm) // 2]}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with 'scoliosis_xray' and the other sets")
    parser.add_argument("--model", help="checkpoint folder or Hub id (default: the embedded model)")
    parser.add_argument("--folds", type=Path, default=Path("models/xray/folds.json"), help="predictions of the folds")
    parser.add_argument("--repairs", type=Path, default=Path("models/xray/repairs.csv"), help="corrections of labels")
    parser.add_argument("--images", type=int, default=60, help="images of each kind to reject (default: %(default)s)")
    parser.add_argument("--plot", type=Path, help="PNG file for the plot of Bland and Altman")
    options = parser.parse_args()
    aligner = Aligner.from_pretrained(options.model)
    films = load_films(options.data / "scoliosis_xray", repairs=options.repairs)
    assert isinstance(aligner.measurer, FrontalMeasurer), "the model is for x-rays"
    evaluation = evaluate_films(aligner.measurer, films)
    assert evaluation is not None, "the set has test films"
    folds = FoldPredictions.load(options.folds)
    crossed = cross_validated_agreement(folds.films, films.name)
    print(format_agreements([*evaluation.agreements, crossed], evaluation.large_error_files))
    print_large_errors(folds, crossed)
    seconds = time_of(options.model, [film.path for film in films.part("test").films[:21]])
    print(f"\n{target_table(evaluation, crossed, seconds).text()}")
    print(f"\n{folds.folds} folds, {folds.epochs:g} epochs each; {describe_digests(folds, films.digest)}")
    if options.plot:
        plot_agreements([*evaluation.agreements, crossed], options.plot)
    kinds = kinds_of_images(films.part("test").films, options.data, options.images)
    print(f"\n{rejection_table(aligner, kinds, accepted={FRONTAL: 0.05}).text()}")


def describe_digests(folds: FoldPredictions, films: str) -> str:
    """Return whether the predictions of the folds fit the present code and films."""
    pairs = {"code": (folds.code, code_digest()), "films": (folds.data, films)}
    stale = [name for name, (stored, present) in pairs.items() if stored != present]
    return (
        f"made with other {' and '.join(stale)}: run make xray-folds"
        if stale
        else "the digests of code and films agree"
    )


def print_large_errors(folds: FoldPredictions, crossed: Agreement) -> None:
    wrong = sorted(folds.films, key=lambda film: -abs(film.error(LARGEST)))[: len(crossed.large_errors)]
    print(f"\nthe same in the cross-validation: {len(wrong)} of {crossed.films}")
    for film, error in zip(wrong, crossed.large_errors):
        print(f"  {film.file}: {error.measured:.1f} for {error.reference:.1f}; {error.signs}")


def target_table(evaluation: FilmEvaluation, crossed: Agreement, seconds: dict[str, float]) -> Table:
    """Return the figures to reach beside what was measured."""
    parts = [*evaluation.agreements, crossed]
    rows = []
    for title, score, factor, relation, required, goal in TARGETS:
        values = [value_of(part, score, factor) for part in parts]
        reached = values[0] <= required if relation == AT_MOST else values[0] >= required
        rows.append(
            (title, f"{relation} {required:g}", f"{goal:g}", *(f"{value:.3g}" for value in values), met(reached))
        )
    for title, score, factor, (low, high) in INTERVALS:
        values = [value_of(part, score, factor) for part in parts]
        shown = f"{low:g} to {high:g}" if low else f"{AT_MOST} {high:g}"
        rows.append((title, shown, "", *(f"{value:.3g}" for value in values), met(low <= values[-1] <= high)))
    for name, limit in (("warm", 0.2), ("cold", 2.0)):
        blank = [""] * (len(parts) - 1)
        rows.append(
            (
                f"file to alignment, {CORES} cores, {name}, s",
                f"{AT_MOST} {limit:g}",
                "",
                f"{seconds[name]:.3f}",
                *blank,
                met(seconds[name] <= limit),
            )
        )
    head = ("figure", "required", "goal", *(part.title for part in parts), "met")
    return Table(head, rows, numbers=range(1, len(head) - 1))


def value_of(part: Agreement, score: str, factor: float) -> float:
    found = {**part.scores, **part.measures[LARGEST]}
    return found[score].value * factor if score in found else float("nan")


def met(reached: bool) -> str:
    return "yes" if reached else "NO"


def time_of(model: str | None, paths: Sequence[Path]) -> dict[str, float]:
    """Return the seconds from a file to its alignment in a new process, without and with a loaded model."""
    command = [sys.executable, "-c", TIMED, str(CORES), model or "", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def rejection_table(
    aligner: Aligner, kinds: Iterable[tuple[str, Iterable[object]]], *, accepted: Mapping[str, float]
) -> Table:
    """Return how many images of each kind are rejected; `accepted` has the limit of kinds that should not be."""
    rows = []
    for name, images in kinds:
        found = [(item, reason_of(aligner, item)) for item in tqdm(images, desc=name, leave=False, disable=None)]
        reasons = Counter(re.split(r": | \(", reason)[0] for _, reason in found if reason)
        rejected = sum(reasons.values())
        required = f"<= {accepted[name]:.0%}" if name in accepted else ">= 98%"
        frequent = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common(2))
        rows.append((name, len(found), f"{rejected / len(found):.1%}", required, frequent))
    return Table(("kind of image", "images", "rejected", "required", "most frequent reasons"), rows, numbers=(1, 2, 3))


FRONTAL = "test films, upright"


def kinds_of_images(films: Sequence[Film], data: Path, count: int) -> Iterator[tuple[str, Iterable[object]]]:
    """Yield the name of each kind, and its images as `Aligner.measure` takes them."""
    yield FRONTAL, [film.path for film in films]
    chosen = spread(films, count)
    for name, turns in (
        ("test films, upside down", 2),
        ("test films, turned left", 1),
        ("test films, turned right", 3),
    ):
        yield name, [turned(film, turns) for film in chosen]
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder)
        write_lateral_spines(drawn / "lateral", {"test": count}, seed=FIRST_SEED)
        yield "drawn lateral spines", sorted((drawn / "lateral" / "test").iterdir())
        write_phantoms(drawn / "necks", {"test": count}, seed=FIRST_SEED)
        yield "drawn necks (CT)", paths_of(drawn / "necks", count)
    for folder in sorted((data / "out_of_distribution").iterdir()):
        yield folder.name, paths_of(folder, count)
    yield "cervical CT (val)", paths_of(data / "cervical fracture" / "val", count)
    yield "cervical CT (RSNA 2022)", paths_of(data / "rsna2022", count)
    # the patients 10 to 14 and 100 to 149 are backgrounds
    sagittal = [
        path for path in sorted((data / "spider" / "sagittal").iterdir()) if not path.name.startswith(BACKGROUNDS)
    ]
    yield "lumbar MR (SPIDER)", spread(sagittal, count)


BACKGROUNDS = tuple(f"1{number}" for number in range(5))


def turned(film: Film, turns: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(film.read().pixels, turns)).astype(np.uint8)


def paths_of(folder: Path, count: int) -> list[str]:
    return spread(expand_paths([str(folder)])[0], count)


def spread(items: Sequence, count: int) -> list:
    """Return up to a number of items, evenly from the whole sequence."""
    places = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [items[place] for place in places]


def reason_of(aligner: Aligner, source: object) -> str:
    """Return the first reason why an image is not measured; empty if it is accepted."""
    try:
        alignment = aligner.measure(source)
    except ImageError as error:
        return f"cannot be read ({type(error).__name__})"
    return "" if alignment.accepted else alignment.rejection_reasons[0]


if __name__ == "__main__":
    main()
