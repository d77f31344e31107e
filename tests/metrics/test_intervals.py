from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from spinealign.metrics import intervals as intervals_module
from spinealign.metrics.intervals import effective_number, unseen_share, wilson_interval
from spinealign.metrics.registry import METRICS
from spinealign.metrics.scores import scores_of
from spinealign.metrics.weighted import WeightedPredictions

SHARES = ("accuracy", "sensitivity", "specificity", "ppv", "npv")
OTHERS = ("balanced_accuracy", "mcc", "auroc")


def cluster_bootstrap(positive, probability, *, threshold=0.5, **options):
    sample = WeightedPredictions.binary(positive, probability, threshold=threshold)
    return intervals_module.cluster_bootstrap(sample, **options)


def test_19_of_20_is_76_to_99_percent():
    assert wilson_interval(0.95, 20) == pytest.approx((0.764, 0.991), abs=0.001)


def test_wilson_intervals_have_their_nominal_coverage():
    rng = np.random.default_rng(0)
    truths = rng.uniform(0.6, 0.98, 4000)
    intervals = [wilson_interval(right / 40, 40) for right in rng.binomial(40, truths)]
    assert 0.94 <= np.mean([low <= truth <= high for truth, (low, high) in zip(truths, intervals)]) <= 0.96


@pytest.mark.parametrize(("share", "count"), [(1.1, 5), (-0.1, 5), (0.5, 0)])
def test_impossible_counts_are_refused(share, count):
    with pytest.raises(ValueError, match="share"):
        wilson_interval(share, count)


@pytest.mark.parametrize("count", [1, 5, 20, 300])
def test_what_is_more_frequent_than_the_bound_occurs(count):
    assert (1 - unseen_share(count)) ** count == pytest.approx(0.05)


def test_copies_do_not_add_to_the_effective_number():
    groups = np.repeat(np.arange(4), [10, 10, 10, 10])
    assert effective_number(groups, np.ones(40, bool)) == pytest.approx(4)
    assert effective_number(groups, groups < 2) == pytest.approx(2)
    assert effective_number(np.repeat([0, 1, 2], [98, 1, 1]), np.ones(100, bool)) == pytest.approx(1.04, abs=0.01)
    assert effective_number(groups, np.zeros(40, bool)) == 0


def clustered(accuracy: float, sources: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return label, probability and source of 8 copies of each source; copies share 80 % of the variance."""
    rng = np.random.default_rng(seed)
    source = np.repeat(np.arange(sources), 8)
    positive = source % 2 == 0
    noise = np.sqrt(0.8) * rng.standard_normal(sources)[source] + np.sqrt(0.2) * rng.standard_normal(len(source))
    distance = NormalDist().inv_cdf(accuracy)
    return positive, 1 / (1 + np.exp(-np.where(positive, distance, -distance) - noise)), source


# With symmetric errors and equal classes, all shares and the balanced accuracy have the same true value.
@pytest.mark.parametrize(
    ("accuracy", "sources", "names", "least"),
    [(0.8, 20, SHARES, 0.9), (0.99, 20, SHARES, 0.9), (0.8, 50, SHARES + OTHERS, 0.85)],
)
def test_intervals_over_sources_cover_the_true_score(accuracy, sources, names, least):
    auroc = NormalDist().cdf(NormalDist().inv_cdf(accuracy) * np.sqrt(2))
    truth = {**dict.fromkeys(SHARES + OTHERS, accuracy), "mcc": 2 * accuracy - 1, "auroc": auroc}
    held = dict.fromkeys(names, 0)
    for seed in range(40):
        positive, probability, source = clustered(accuracy, sources, seed)
        intervals = cluster_bootstrap(positive, probability, groups=source, draws=100)
        for name in names:
            held[name] += intervals[name][0] <= truth[name] <= intervals[name][1]
    assert min(held.values()) >= least * 40, held


def test_intervals_over_copies_are_too_narrow():
    held = 0
    for seed in range(40):
        positive, probability, source = clustered(0.8, 20, seed)
        low, high = cluster_bootstrap(positive, probability, groups=range(len(source)), draws=100)["accuracy"]
        held += low <= 0.8 <= high
    assert held < 0.75 * 40


@pytest.mark.parametrize("sources", [2, 20, 100])
def test_a_perfect_sample_does_not_prove_perfection(sources):
    source = np.repeat(np.arange(sources), 20)
    positive = source % 2 == 0
    intervals = cluster_bootstrap(positive, positive * 1.0, groups=source, draws=50)
    unseen, unseen_of_class = unseen_share(sources), unseen_share(sources / 2)
    assert intervals["accuracy"] == pytest.approx(wilson_interval(1.0, sources))
    assert intervals["sensitivity"] == intervals["ppv"] == pytest.approx(wilson_interval(1.0, sources / 2))
    assert intervals["auroc"] == intervals["auprc"] == pytest.approx((1 - unseen_of_class, 1))
    assert intervals["balanced_accuracy"] == intervals["f1"] == pytest.approx((1 - unseen, 1))
    assert intervals["mcc"] == pytest.approx((1 - 2 * unseen, 1))
    assert intervals["brier"] == pytest.approx((0, unseen))


def test_a_worse_score_has_no_better_bound():
    source = np.repeat(np.arange(20), 20)
    positive = source % 2 == 0
    probability = np.where(positive, 0.9, 0.1)
    probability[:2] = 0.05
    perfect, other = (cluster_bootstrap(positive, p, groups=source, draws=50) for p in (positive * 1.0, probability))
    for name in ("accuracy", "auroc", "auprc", "f1", "balanced_accuracy", "mcc"):
        assert other[name][0] < perfect[name][0], name


def test_equal_draws_below_the_best_score_widen_both_ends():
    positive = np.arange(40) < 30
    intervals = cluster_bootstrap(positive, np.full(40, 0.7), groups=range(40), draws=50)
    unseen = unseen_share(10)
    assert intervals["auroc"] == pytest.approx((0.5 - unseen / 2, 0.5 + unseen / 2))
    ranked_wrong = cluster_bootstrap(positive, 1 - positive, groups=range(40), draws=50)
    assert ranked_wrong["auroc"] == pytest.approx((0, unseen))


def test_many_independent_images_give_the_plain_bootstrap():
    rng = np.random.default_rng(0)
    positive = np.arange(2000) % 2 == 0
    probability = np.clip(0.35 * positive + 0.7 * rng.random(2000), 0, 1)
    low, high = cluster_bootstrap(positive, probability, groups=range(2000), draws=500)["accuracy"]
    right = (probability >= 0.5) == positive
    assert (high - low) / 2 == pytest.approx(1.96 * right.std() / np.sqrt(2000), rel=0.15)


def test_draws_have_both_classes_if_a_source_has_both():
    positive = np.array([True] * 4 + [False] * 5 + [True])
    probability = np.linspace(0.9, 0.1, 10)
    groups = ["a", "a", "b", "b", "c", "c", "d", "d", "mixed", "mixed"]
    intervals = cluster_bootstrap(positive, probability, groups=groups, draws=300)
    assert all(interval is not None and np.isfinite(interval).all() for interval in intervals.values())


def test_an_undefined_score_has_no_interval():
    intervals = cluster_bootstrap(np.zeros(6, bool), np.full(6, 0.2), groups=range(6), draws=50)
    assert intervals["auroc"] is intervals["sensitivity"] is intervals["ppv"] is None
    assert intervals["specificity"] == pytest.approx(wilson_interval(1.0, 6))


def test_intervals_include_the_score_and_depend_on_the_seed():
    positive, probability, source = clustered(0.8, 20, 1)
    first, again, other, high_threshold = (
        cluster_bootstrap(positive, probability, groups=source, draws=100, seed=seed, threshold=threshold)
        for seed, threshold in ((0, 0.5), (0, 0.5), (1, 0.5), (0, 0.9))
    )
    assert first == again != other
    assert high_threshold["sensitivity"][1] < first["sensitivity"][1]
    for name, value in scores_of(WeightedPredictions.binary(positive, probability)).items():
        assert METRICS[name].limits[0] <= first[name][0] <= value <= first[name][1] <= METRICS[name].limits[1]


def test_chunked_draws_agree_with_fewer_draws():
    positive, probability, source = clustered(0.8, 20, 1)
    many, few = (cluster_bootstrap(positive, probability, groups=source, draws=draws) for draws in (6000, 1500))
    for name, ends in few.items():
        assert many[name] == pytest.approx(ends, abs=0.03), name


def test_a_wrong_number_of_groups_is_refused():
    with pytest.raises(ValueError, match="one group for each"):
        cluster_bootstrap(np.array([True, False]), np.array([0.1, 0.2]), groups=["a"])
