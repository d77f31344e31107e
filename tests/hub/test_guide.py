from __future__ import annotations

import re
import shlex

from spinealign.cli.program import build_parser


def test_the_commands_of_the_guide_parse(root):
    from spinealign.training.setup import parse_training_setup

    blocks = re.findall(r"```bash\n(.*?)```", (root / "docs" / "hub.md").read_text(), flags=re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line)[1:]
        if words[0] == "train":
            training = parse_training_setup(words[1:]).training
            assert training.push_to_hub
            assert training.hub_private_repo
            assert training.hub_model_id == "you/my-model"
        else:
            assert build_parser().parse_args(words).repo_id == "you/my-model"
