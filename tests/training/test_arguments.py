from __future__ import annotations

import pytest

from spinealign.training.arguments import DEFAULT_BACKBONE
from spinealign.training.setup import parse_training_setup


def test_the_defaults_are_as_documented(tmp_path):
    setup = parse_training_setup(["--data_dir", "a", "b", "--output_dir", str(tmp_path)])
    assert setup.data.data_dir == ["a", "b"]
    assert setup.model.model_name_or_path == DEFAULT_BACKBONE == "facebook/deit-tiny-patch16-224"
    assert (setup.data.split, setup.data.on_leakage) == ("auto", "drop")
    assert setup.training.load_best_model_at_end
    assert setup.training.num_train_epochs == 3


def test_a_higher_score_and_a_lower_loss_are_better():
    def better(*words):
        return parse_training_setup(["--data_dir", "a", *words]).training.greater_is_better

    assert better("--metric_for_best_model", "accuracy")
    assert not better()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--data_dir"),
        (["--data_dir", "a", "--split", "random"], "invalid choice"),
        (["--data_dir", "a", "--zoom", "2"], "below 1"),
        (["--data_dir", "a", "--noise", "-1"], "negative"),
        (["--data_dir", "a", "--window_width", "0"], "positive window_width"),
        (["--data_dir", "a", "--unknown", "x"], "unknown"),
    ],
)
def test_wrong_usage_exits_with_2_and_the_reason(words, message, capsys):
    with pytest.raises(SystemExit) as caught:
        parse_training_setup(words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
