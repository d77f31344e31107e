from __future__ import annotations

import pytest
from huggingface_hub import DatasetCard

from spinealign.cohort.cohort import Sample
from spinealign.reporting.dataset_card import card_after

SAMPLES = (Sample(b"", "normal", "s1", split="val"), Sample(b"", "normal", "s1", split="val"))


def after(before):
    return card_after(before, SAMPLES, name="set", repo_id="org/set").decode()


def test_a_first_card_has_counts_and_our_files():
    text = after(None)
    assert "| validation | normal | 2 | 1 |" in text
    digits = "[0-9][0-9][0-9][0-9][0-9]"
    assert DatasetCard(text).data.configs == [
        {
            "config_name": "default",
            "data_files": [{"split": "validation", "path": f"data/validation-{digits}-of-{digits}.parquet"}],
        }
    ]


def test_the_same_push_gives_the_same_card():
    assert after(after(None).encode()) == after(None)


def test_a_card_without_metadata_keeps_its_text():
    text = after(b"Our own card.\n")
    assert text.endswith("---\nOur own card.\n")
    assert DatasetCard(text).data.configs


@pytest.mark.parametrize("before", [b"\xff", b"---\na: [\n---\n"], ids=["not text", "not YAML"])
def test_an_unreadable_card_is_not_replaced(before):
    with pytest.raises(ValueError, match="cannot be read"):
        after(before)
