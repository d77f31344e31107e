from __future__ import annotations

import re
import shlex

from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.cli.program import build_parser
from spinealign.hub.model_page import card_for


def test_the_examples_of_the_page_load_the_model_from_the_hub_and_the_rest_stays():
    text = (DEFAULT_FOLDER / "README.md").read_text()
    page = card_for("org/name", text)
    assert page.count('model="org/name"') == text.count('model="path/to/spinealign-default"') == 2
    assert page.replace('model="org/name"', 'model="path/to/spinealign-default"') == text


def test_a_name_never_becomes_a_pattern():
    assert card_for(r"a/b\1", 'predict("x", model="path/to/y")') == r'predict("x", model="a/b\1")'


def test_the_commands_of_the_guide_parse(root):
    from spinealign.training.arguments import parse_training_setup

    blocks = re.findall(r"```bash\n(.*?)```", (root / "docs" / "hub.md").read_text(), flags=re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line)[1:]
        if words[0] == "train":
            told = parse_training_setup(words[1:]).training
            assert (told.push_to_hub, told.hub_model_id, told.hub_private_repo) == (True, "you/my-model", True)
        else:
            assert build_parser().parse_args(words).repo_id == "you/my-model"
