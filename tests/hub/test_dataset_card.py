from __future__ import annotations

import pytest
from huggingface_hub import DatasetCard

from spinealign.cohort.sample import Sample
from spinealign.hub.dataset_card import card_after

SAMPLES = (Sample(b"", "normal", "s1", split="val"), Sample(b"", "normal", "s1", split="val"))


def after(before):
    return card_after(before, SAMPLES, name="set", repo_id="org/set").decode()


def test_a_first_card_counts_images_and_distinct_sources_and_names_our_files():
    text = after(None)
    assert "| validation | normal | 2 | 1 |" in text
    digits = "[0-9][0-9][0-9][0-9][0-9]"
    assert DatasetCard(text).data.configs == [
        {
            "config_name": "default",
            "data_files": [{"split": "validation", "path": f"data/validation-{digits}-of-{digits}.parquet"}],
        }
    ]


def test_a_card_of_a_push_is_the_same_after_the_same_push():
    assert after(after(None).encode()) == after(None)


def test_a_card_without_metadata_keeps_its_text_and_is_given_the_files():
    text = after(b"Our own card.\n")
    assert text.endswith("---\nOur own card.\n")
    assert DatasetCard(text).data.configs


@pytest.mark.parametrize("before", [b"\xff", b"---\na: [\n---\n"], ids=["no text", "no YAML"])
def test_a_card_that_cannot_be_read_is_not_replaced(before):
    with pytest.raises(ValueError, match=r"cannot be read: mend README\.md there"):
        after(before)
