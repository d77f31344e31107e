from __future__ import annotations

import csv
import json
import secrets
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spinealign.cohort import loading, rendering
from spinealign.cohort.audit.auditing import audit
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import read_cohort
from spinealign.cohort.splitting import split_images
from spinealign.config import PreprocessingConfig
from spinealign.errors import CohortError


def drawn(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (40, 40), np.uint8)
    return Image.fromarray(noise).resize((112, 112), Image.Resampling.BICUBIC)


def fill(folder: Path, images: dict[str, Image.Image]) -> Path:
    for name, image in images.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / name)
    return folder


@pytest.fixture(scope="module")
def leaking_folder(tmp_path_factory):
    """Ten images; `val/fracture/9.png` is a rotated copy of `train/fracture/0.png`, and two files are equal."""
    images = {
        f"{split}/{label}/{number}.png": drawn(10 * number + index)
        for index, (split, label) in enumerate((s, c) for s in ("train", "val") for c in ("fracture", "normal"))
        for number in range(2)
    }
    images["val/fracture/9.png"] = drawn(0).rotate(33, Image.Resampling.BICUBIC)
    images["train/normal/9.png"] = images["train/normal/1.png"]
    folder = fill(tmp_path_factory.mktemp("leaking") / "set", images)
    (folder / "train" / "normal" / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def leaking(leaking_folder):
    return audit(leaking_folder, progress=False)


def test_audit_and_split_decode_each_file_once(leaking_folder, leaking, monkeypatch):
    decoded, groupings = [], []

    def counted(function, calls):
        return lambda *args, **options: calls.append(args[0]) or function(*args, **options)

    monkeypatch.setattr(rendering, "read_slice", counted(rendering.read_slice, decoded))
    monkeypatch.setattr(loading, "group_similar_images", counted(loading.group_similar_images, groupings))
    loaded = read_cohort(index_cohort(leaking_folder), PreprocessingConfig(image_size=48), progress=False)
    findings = audit(loaded, progress=False)
    split_images(loaded, split="official", on_leakage="drop", progress=False)
    assert len(decoded) == 11
    assert len(groupings) == 1
    assert findings == leaking
    assert np.array_equal(findings.pictures.gray, leaking.pictures.gray)


def test_a_part_of_a_cohort_is_not_audited(leaking_folder):
    loaded = read_cohort(index_cohort(leaking_folder), progress=False)
    with pytest.raises(ValueError, match="got a part"):
        audit(loaded.part("train"))


def test_findings_are_written_as_a_page(leaking, tmp_path):
    page = leaking.save_html(tmp_path / "audit.html")
    assert "found only by visual similarity" in page.read_text(encoding="utf-8")


def test_the_repr_of_an_audit_is_short(leaking):
    assert repr(leaking) == "Audit('set', images=10, sources=8, alarms=True, has_leaks=True)"


def test_a_copy_found_only_by_similarity_is_a_leak(leaking):
    (leak,) = leaking.straddling
    assert (leak.kind, leak.name) == ("source", "train/fracture/0.png = val/fracture/9.png")
    assert (leak.images, leak.by_looks) == ({"train": 1, "val": 1}, True)
    assert leaking.has_leaks
    assert leaking.alarms
    assert any("only by visual similarity" in sentence for sentence in leaking.verdict)


def test_images_and_sources_are_counted(leaking):
    assert (leaking.images, leaking.sources, leaking.identical, leaking.look_groups) == (10, 8, 1, 2)
    assert leaking.copies == (1, 1.0, 2)
    assert leaking.effective_sources == pytest.approx(10**2 / (6 + 2 * 4))
    counts = {(part.split, part.label): (part.images, part.sources) for part in leaking.parts}
    assert counts["train", "normal"] == (3, 2)
    assert counts["val", "fracture"] == (3, 3)
    assert leaking.series is leaking.patients is None


def test_a_file_that_cannot_be_read_is_a_finding(leaking):
    assert [line.split()[0] for line in leaking.unreadable] == ["train/normal/broken.png"]
    assert any("1 file could not be read" in sentence for sentence in leaking.verdict)


def test_findings_are_json(leaking):
    content = json.loads(json.dumps(leaking.to_dict(), allow_nan=False))
    assert content["has_leaks"] is True
    assert content["straddling"][0]["images"] == {"train": 1, "val": 1}
    assert "pictures" not in content


def test_phantoms_raise_no_alarm(phantom_folder):
    findings = audit(phantom_folder, progress=False)
    assert not findings.alarms
    assert findings.sources == findings.images == 44
    assert findings.series == 44
    assert any("does not prove" in sentence for sentence in findings.verdict)


def test_copies_with_two_labels_are_reported(tmp_path):
    images = {"fracture/a.png": drawn(1), "normal/b.png": drawn(1).rotate(90), "normal/c.png": drawn(2)}
    findings = audit(fill(tmp_path / "set", images), progress=False)
    assert findings.contradicting == ("fracture/a.png",)
    assert findings.alarms
    assert not findings.has_leaks


@pytest.mark.parametrize(
    "names", [["fracture/a.png"], ["cat/a.png", "dog/b.png", "eel/c.png"], ["val/cat/a.png", "val/dog/b.png"]], ids=str
)
def test_any_labeled_collection_can_be_audited(tmp_path, names):
    findings = audit(fill(tmp_path / "set", {name: drawn(index) for index, name in enumerate(names)}), progress=False)
    assert findings.images == len(names)
    assert all(probe.accuracy is None for probe in findings.probes)
    json.dumps(findings.to_dict(), allow_nan=False)


def test_a_missing_collection_is_an_error(tmp_path):
    with pytest.raises(CohortError, match="no folder"):
        audit(tmp_path / "nowhere", progress=False)


@pytest.fixture(scope="module")
def real(data):
    return audit(data / "cervical fracture", progress=False)


@pytest.mark.data
@pytest.mark.slow
def test_the_findings_on_the_real_collection(real):
    assert (real.images, real.sources) == (1400, 68)
    sources = [item.name for item in real.straddling if item.kind == "source"]
    assert sources == ["CSFDV1B10 (109)", "CSFDV1B10 (18)"]
    assert {probe.on: probe.accuracy for probe in real.probes}["val"] == pytest.approx(0.9775, abs=0.005)
    assert "thumbnails tells fracture from normal with 97.50 % accuracy on val" in real.verdict[0]
    assert any("normal" in item.label and item.series == ("CSFDV1B10",) for item in real.class_series)


@pytest.mark.data
@pytest.mark.slow
def test_the_straddling_slices_are_found_without_names(data, tmp_path):
    with (data / "cervical fracture.manifest.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["slice"] in ("18", "17", "109", "108")]
    for row in rows:
        folder = tmp_path / "set" / row["split"] / row["label"]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / row["path"], folder / f"{secrets.token_hex(8)}.png")
    true = {(row["series"], row["slice"]) for row in rows}
    leaking = {key for key in true if len({row["split"] for row in rows if (row["series"], row["slice"]) == key}) > 1}
    findings = audit(tmp_path / "set", progress=False)
    assert len(findings.straddling) == len(leaking)
    assert findings.sources == len(true)
