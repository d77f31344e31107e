from __future__ import annotations

import shutil

import pytest
import torch

from spinealign.errors import CheckpointError
from spinealign.modeling.backbone import create_backbone


def test_the_body_is_pretrained_and_the_head_is_new(tiny_backbone):
    from safetensors.torch import load_file

    network, _ = create_backbone(str(tiny_backbone))
    assert network.config.id2label == {0: "normal", 1: "fracture"}
    assert network.classifier.weight.shape == (2, 32)
    stored = load_file(tiny_backbone / "model.safetensors")
    name = next(key for key in stored if key.endswith("cls_token"))
    torch.testing.assert_close(network.vit.embeddings.cls_token, stored[name])


def test_from_scratch_takes_the_shape_alone(tiny_backbone):
    torch.manual_seed(1)
    scratch, _ = create_backbone(str(tiny_backbone), from_scratch=True)
    pretrained, _ = create_backbone(str(tiny_backbone))
    assert not torch.equal(scratch.vit.embeddings.cls_token, pretrained.vit.embeddings.cls_token)


def test_damaged_weights_are_a_typed_error(tmp_path, tiny_backbone):
    folder = shutil.copytree(tiny_backbone, tmp_path / "backbone")
    (folder / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        create_backbone(str(folder))


@pytest.mark.parametrize("name", ["nothing-here", "spinealign/there-is-no-such-model"])
def test_a_backbone_that_is_not_there_is_a_typed_error(name):
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        create_backbone(name)
