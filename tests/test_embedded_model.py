"""Agreement of the embedded model, its metrics, its card and the copy of the card."""

from __future__ import annotations

import json
import re

import pytest

from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.checkpoint.record import ModelRecord
from spinealign.reporting.model_card import render_card


def test_the_top_level_card_is_a_copy(root):
    embedded, copy = (DEFAULT_FOLDER / "README.md").read_text(), (root / "model_card.md").read_text()
    assert copy.replace("](spinealign/assets/default/", "](") == embedded
    pictures = re.findall(r"!\[.*?\]\((.+?)\)", copy)
    assert len(pictures) == 3
    assert all((root / picture).is_file() for picture in pictures)


def test_the_card_is_rendered_from_the_record():
    record = ModelRecord.from_dict(json.loads((DEFAULT_FOLDER / "metrics.json").read_text()))
    card = render_card(record, Checkpoint(DEFAULT_FOLDER, "default").settings)
    assert card == (DEFAULT_FOLDER / "README.md").read_text()


@pytest.mark.parametrize("name", ["README.md", "metrics.json", "spinealign.json", "config.json"])
def test_no_file_name_is_embedded(name):
    assert "CSFDV" not in (DEFAULT_FOLDER / name).read_text()
