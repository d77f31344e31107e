from __future__ import annotations

import numpy as np
import pytest

from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.options import CollectionOptions
from spinealign.cohort.targets import codes, require_parts, target_of, with_positive
from spinealign.errors import CohortError
from spinealign.labels import MISSING, Label, Target


def single(*labels, name="set"):
    return Cohort(name, tuple(Sample("", label, str(place)) for place, label in enumerate(labels)))


def several(**columns):
    """Return a cohort with a column of labels for each keyword."""
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    return Cohort("set", tuple(Sample("", None, str(place), labels=row) for place, row in enumerate(rows)))


DISCS = several(pfirrmann=["1", "10", "2"], narrowing=["0", "1", None], bulging=["no", "yes", "no"])
NARROWING = Label("narrowing", "binary", ("0", "1"), "1")
BULGING = Label("bulging", "binary", ("no", "yes"), "yes")


@pytest.mark.parametrize(
    ("classes", "options", "label"),
    [
        (("fracture", "normal"), {}, Label("label", "binary", ("normal", "fracture"), "fracture")),
        (("Abnormal", "Clear"), {}, Label("label", "binary", ("Clear", "Abnormal"), "Abnormal")),
        (("a", "b"), {"positive": "A"}, Label("label", "binary", ("b", "a"), "a")),
        (("a", "b"), {"problem_type": "multi_class"}, Label("label", "multi_class", ("a", "b"))),
        (("c", "a", "b"), {}, Label("label", "multi_class", ("a", "b", "c"))),
        (("2", "10", "1"), {"problem_type": "ordinal"}, Label("label", "ordinal", ("1", "2", "10"))),
        (("2", "3"), {"grades": ["1", "2", "3"]}, Label("label", "ordinal", ("1", "2", "3"))),
        (("Mild", "none"), {"grades": ["none", "mild"]}, Label("label", "ordinal", ("none", "Mild"))),
    ],
)
def test_a_single_label_is_inferred_from_its_classes(classes, options, label):
    assert target_of([single(*classes)], **options) == Target(label.kind, (label,))


def test_classes_of_several_collections_are_joined():
    found = target_of([single("a", "b"), single("b", "c", name="other")])
    assert found.labels[0].classes == ("a", "b", "c")


def test_several_binary_columns_are_multi_label():
    assert target_of([DISCS], labels=["narrowing", "bulging"]) == Target("multi_label", (NARROWING, BULGING))


def test_columns_of_several_kinds_are_mixed():
    target = target_of([DISCS], labels=["pfirrmann:ordinal", "narrowing"])
    assert target == Target("mixed", (Label("pfirrmann", "ordinal", ("1", "2", "10")), NARROWING))


def test_one_column_is_a_single_label_that_keeps_its_name():
    cohort = several(severity=["mild", "severe", "mild"])
    found = target_of([cohort], labels=["severity:ordinal=mild/moderate/severe"])
    assert found == Target("ordinal", (Label("severity", "ordinal", ("mild", "moderate", "severe")),))
    positive = target_of([cohort], labels=["severity=severe"], problem_type="multi_label")
    assert positive == Target("multi_label", (Label("severity", "binary", ("mild", "severe"), "severe"),))


@pytest.mark.parametrize(
    ("cohort", "options", "words"),
    [
        (single("a", "b"), {}, r"name the positive one \(--positive, or positive in Python\)"),
        (single("positive", "fracture"), {}, "name the positive one"),
        (single("a", "b"), {"positive": "c"}, "not the positive class 'c'"),
        (single("a", "a"), {}, "has the classes a; training needs at least two"),
        (single("a", "b", "c"), {"problem_type": "binary"}, "a binary label has two"),
        (single("1", "4"), {"grades": ["1", "2", "3"]}, "classes 4, which are not among 1, 2, 3"),
        (single("mild", "severe"), {"problem_type": "ordinal"}, "name them in ascending order"),
        (several(side=["left", "right"], one=["0", "1"]), {"labels": ["side", "one"]}, "side=class"),
    ],
)
def test_unfit_classes_are_refused_with_the_remedy(cohort, options, words):
    with pytest.raises(CohortError, match=words):
        target_of([cohort], **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"problem_type": "mixed"}, "needs the names of the label columns"),
        ({"problem_type": "ordinal", "labels": ["pfirrmann", "narrowing"]}, "has one label"),
        ({"labels": ["pfirrmann:ordinal", "narrowing"], "positive": "1"}, "positive applies to a single label"),
        ({"labels": ["narrowing", "bulging"], "grades": ["1", "2"]}, "grades needs an ordinal label"),
        ({"labels": ["narrowing:count"]}, "the kinds are"),
        ({"labels": ["narrowing:ordinal"], "problem_type": "binary"}, "narrowing is ordinal"),
        ({"labels": ["pfirrmann:ordinal"], "positive": "1"}, "positive applies to a binary label"),
    ],
)
def test_contradicting_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        target_of([DISCS], **options)


def test_codes_ignore_case_and_mark_missing_values():
    cohort = several(narrowing=["Yes", None, "no"], other=["0", "0", "1"])
    label = Label("narrowing", "binary", ("no", "yes"), "yes")
    np.testing.assert_array_equal(codes(cohort, label), [1, MISSING, 0])
    with pytest.raises(CohortError, match=r"classes 0, 1 .*and the model knows no, yes.*\(--positive"):
        codes(cohort, Label("other", "binary", ("no", "yes"), "yes"))


def test_other_names_of_a_finding_are_replaced():
    label = Label("label", "binary", ("normal", "fracture"), "fracture")
    renamed = with_positive(single("negative", "Positive"), label, positive="positive")
    assert codes(renamed, label).tolist() == [0, 1]
    with pytest.raises(CohortError, match="expected 'positive' and its absence"):
        with_positive(single("a", "b"), label, positive="positive")


def test_the_columns_of_a_manifest_become_labels(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.png").touch()
    (tmp_path / "manifest.csv").write_text("path,grade,narrowing\na.png,3.0,Yes\nb.png,,no\nc.png,NaN,\n")
    cohort = index_cohort(tmp_path, CollectionOptions(labels=["grade", "narrowing"]))
    assert [(sample.label, dict(sample.labels)) for sample in cohort] == [
        (None, {"grade": "3", "narrowing": "Yes"}),
        (None, {"grade": None, "narrowing": "no"}),
    ]
    assert "1 row without a label (line 4)" in cohort.skipped[0]
    assert [sample.label for sample in index_cohort(tmp_path, CollectionOptions(labels="grade"))] == ["3"]
    with pytest.raises(CohortError, match=r"other columns are grade, narrowing.*--labels"):
        index_cohort(tmp_path)


def test_the_columns_of_a_hub_dataset_become_labels(tmp_path):
    pytest.importorskip("datasets")
    import re

    from datasets import ClassLabel, Dataset, Features, Image, Value
    from PIL import Image as Pillow

    from spinealign.cohort.hub_rows import hub_samples
    from spinealign.cohort.naming import COPY_PATTERN

    Pillow.new("L", (4, 4)).save(tmp_path / "a.png")
    kinds = {"image": Image(), "side": ClassLabel(names=["left", "right"]), "grade": Value("float64")}
    rows = Dataset.from_dict(
        {"image": [str(tmp_path / "a.png")] * 3, "side": [1, None, None], "grade": [2.0, 1.0, None]}, Features(kinds)
    )
    samples, skipped = hub_samples(rows, "train", pattern=re.compile(COPY_PATTERN), labels=["side", "grade"])
    assert [sample.labels for sample in samples] == [{"side": "right", "grade": "2"}, {"side": None, "grade": "1"}]
    assert "1 row without a label (train row 2)" in skipped[0]


@pytest.mark.parametrize("spelling", ["C1 arch", "c1 ARCH"])
def test_class_names_keep_their_spelling(tmp_path, spelling):
    for name in (spelling, "Dens"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").touch()
    assert index_cohort(tmp_path).labels == (*sorted(["Dens", spelling]),)


def in_splits(train, val):
    """Return a cohort with classes in two splits."""
    rows = [("train", value) for value in train] + [("val", value) for value in val]
    return Cohort("set", tuple(Sample("", value, str(n), split=split) for n, (split, value) in enumerate(rows)))


@pytest.mark.parametrize(
    ("train", "val", "words"),
    [
        (["normal"], ["normal", "fracture"], "no image of fracture is left in train"),
        (["normal", "fracture"], ["normal"], "no image of fracture is left in val"),
        (["a", "b"], ["a", "b", "c"], "no image of c is left in train"),
    ],
)
def test_classes_missing_from_a_split_are_refused(train, val, words):
    cohort = in_splits(train, val)
    with pytest.raises(CohortError, match=words):
        require_parts(cohort, target_of([cohort]))


def test_a_rare_class_may_be_missing_from_the_validation_split():
    cohort = in_splits(["1", "2", "3"], ["1"])
    require_parts(cohort, target_of([cohort]))
    grades = in_splits(["1", "2"], ["3"])
    require_parts(grades, target_of([grades], grades=["1", "2", "3"]))


def test_one_class_is_refused_for_training():
    one = single("fracture", "fracture")
    with pytest.raises(CohortError, match="no image of a second class was found"):
        require_parts(one, target_of([one, single("normal", "fracture")]))
