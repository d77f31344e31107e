import numpy as np
import pytest

from spinealign.labels import Label, Target

BINARY = Label("narrowing", "binary", ("0", "1"), positive="1")
GRADES = Label("pfirrmann", "ordinal", ("1", "2", "3"))


def test_log_odds_of_a_binary_label_give_its_probability():
    target = Target("mixed", (GRADES, BINARY))
    logits = np.array([[0.0, 0.0, 0.0, 2.0]])
    grades, narrowing = target.probabilities(logits)
    assert grades == pytest.approx(np.full((1, 3), 1 / 3))
    assert narrowing[0, 1] == pytest.approx(1 / (1 + np.exp(-2.0)))


def test_temperatures_divide_the_logits_of_each_label():
    target = Target("multi_label", (BINARY, Label("bulging", "binary", ("yes", "no"), positive="yes")))
    narrowing, bulging = target.probabilities(np.array([[1.0, 1.0]]), temperatures=[2.0, 1.0])
    assert narrowing[0, 1] == pytest.approx(1 / (1 + np.exp(-0.5)))
    assert bulging[0, 0] == pytest.approx(1 / (1 + np.exp(-1.0)))


def test_expected_grade_uses_numeric_class_names():
    assert GRADES.expected_grade(np.array([0.5, 0.0, 0.5])) == pytest.approx(2.0)
    words = Label("severity", "ordinal", ("mild", "severe"))
    assert words.expected_grade(np.array([[0.25, 0.75]])) == pytest.approx([0.75])


@pytest.mark.parametrize(
    ("problem_type", "labels"),
    [
        ("binary", (GRADES,)),
        ("multi_label", (GRADES, BINARY)),
        ("mixed", ()),
        ("grades", (GRADES,)),
        ("multi_label", (BINARY, BINARY)),
    ],
)
def test_contradicting_targets_are_refused(problem_type, labels):
    with pytest.raises(ValueError, match=r"problem|binary|same name"):
        Target(problem_type, labels)


@pytest.mark.parametrize(
    "values",
    [
        ("a", "binary", ("x", "y", "z"), "x"),
        ("a", "binary", ("x", "y"), None),
        ("a", "ordinal", ("1",), None),
        ("a", "ordinal", ("1", "2"), "1"),
        ("a", "many", ("1", "2"), None),
    ],
)
def test_contradicting_labels_are_refused(values):
    with pytest.raises(ValueError, match=r"[Ll]abel"):
        Label(*values)


def test_a_value_without_class_is_refused():
    with pytest.raises(ValueError, match="got '4'"):
        GRADES.encode(["1", "4"])
