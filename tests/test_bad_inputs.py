"""Unusable files, collections and checkpoints, each refused with a typed error."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from spinealign import Predictor, read_slice
from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.checkpoint.finding import DEFAULT_FOLDER
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import read_cohort, require_readable
from spinealign.cohort.options import CollectionOptions
from spinealign.cohort.splitting import split_images
from spinealign.cohort.targets import require_parts, target_of
from spinealign.errors import (
    CheckpointError,
    CohortError,
    LeakageError,
    SpineAlignError,
    UnreadableImageError,
    UnsupportedFormatError,
)
from spinealign.hub.checks import check_checkpoint
from spinealign.page.about import describe_model
from spinealign.phantoms.axial_neck import draw_phantom


def encoded(kind, mode="L", size=(48, 48)):
    stream = BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(stream, kind)
    return stream.getvalue()


def huge_png():
    content = bytearray(encoded("PNG"))
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


FILES = {
    "empty": (b"", UnreadableImageError),
    "text": (b"this is not an image", UnreadableImageError),
    "random bytes": (bytes(range(256)) * 8, UnreadableImageError),
    "html of a login page": (b"<!doctype html><title>Sign in</title>", UnreadableImageError),
    "git-lfs pointer": (b"version https://git-lfs\noid sha256:0\nsize 1\n", UnreadableImageError),
    "only a png signature": (b"\x89PNG\r\n\x1a\n", UnreadableImageError),
    "truncated png": (encoded("PNG")[:900], UnreadableImageError),
    "png of 3.6 gigapixels": (huge_png(), UnreadableImageError),
    "only a jpeg signature": (b"\xff\xd8\xff\xe0", UnreadableImageError),
    "jpeg truncated in its header": (encoded("JPEG")[:100], UnreadableImageError),
    "dicom without a data set": (bytes(128) + b"DICM", UnsupportedFormatError),
    "dicom followed by noise": (bytes(128) + b"DICM" + b"\xff" * 400, UnsupportedFormatError),
    "truncated gif": (encoded("GIF")[:900], UnreadableImageError),
    "truncated tiff": (encoded("TIFF")[:900], UnreadableImageError),
    "truncated webp": (encoded("WEBP", "RGB")[:900], UnreadableImageError),
    "truncated jpeg 2000": (encoded("JPEG2000")[:90], UnreadableImageError),
    "truncated array": (
        b"\x93NUMPY\x01\0v\0{'descr': '<f8', 'fortran_order': False, 'shape': (9, 9)}",
        UnreadableImageError,
    ),
    "heic": (b"\0\0\0\x18ftypheic" + bytes(40), UnsupportedFormatError),
    "avif": (b"\0\0\0\x18ftypavif" + bytes(40), UnsupportedFormatError),
    "pdf": (b"%PDF-1.7 ...", UnsupportedFormatError),
    "gzip": (b"\x1f\x8b\x08" + bytes(40), UnsupportedFormatError),
    "zip": (b"PK\x03\x04" + bytes(40), UnreadableImageError),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused(name, tmp_path):
    content, expected = FILES[name]
    path = tmp_path / "slice.png"
    path.write_bytes(content)
    with pytest.raises(expected) as caught:
        read_slice(path)
    assert len(str(caught.value)) > 30, "the message names the remedy"


ARRAYS = {
    "volume": (np.zeros((4, 8, 8)), UnsupportedFormatError),
    "row": (np.zeros(64), UnsupportedFormatError),
    "no pixel": (np.zeros((0, 8)), UnsupportedFormatError),
    "complex": (np.zeros((8, 8), complex), UnsupportedFormatError),
    "words": (np.full((8, 8), "a"), UnsupportedFormatError),
    "nan": (np.full((8, 8), np.nan), UnreadableImageError),
    "infinite": (np.full((8, 8), np.inf), UnreadableImageError),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_bad_array_is_refused(name):
    array, expected = ARRAYS[name]
    with pytest.raises(expected):
        read_slice(array)


@pytest.fixture(scope="module")
def slices():
    """Twelve slices that are not copies of each other."""
    return [np.asarray(draw_phantom(7_000_000 + n, size=96).slice.pixels) for n in range(12)]


def png(pixels):
    stream = BytesIO()
    Image.fromarray(np.clip((pixels + 450) / 1500 * 255, 0, 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else png(content))


def whole(slices, **changed):
    """Return a valid collection with changed files; None leaves a file out."""
    names = [f"{split}/{label}/{n}.png" for split in ("train", "val") for label in ("fracture", "normal") for n in "ab"]
    return {name: content for name, content in {**dict(zip(names, slices)), **changed}.items() if content is not None}


def manifest(*lines):
    return "\n".join(lines).encode()


JUNK = b"not an image"
COLLECTIONS = {
    "an empty folder": lambda s: {"notes.txt": JUNK},
    "images without class folders": lambda s: {"a.png": s[0], "b.png": s[1]},
    "class folders without images": lambda s: {"fracture/readme.txt": JUNK, "normal/readme.txt": JUNK},
    "one class is empty": lambda s: {"fracture/a.png": s[0], "normal/readme.txt": JUNK},
    "only one class": lambda s: {"fracture/a.png": s[0], "fracture/b.png": s[1]},
    "no class is the finding": lambda s: {"broken/a.png": s[0], "normal/b.png": s[1]},
    "the finding is misspelled": lambda s: {"fractrue/a.png": s[0], "normal/b.png": s[1]},
    "three classes": lambda s: {"fracture/a.png": s[0], "normal/b.png": s[1], "tumor/c.png": s[2]},
    "a class is missing in val": lambda s: whole(s, **{f"val/normal/{n}.png": None for n in "ab"}),
    "a class is misspelled in val": lambda s: {
        **whole(s, **{f"val/normal/{n}.png": None for n in "ab"}), "val/norml/a.png": s[9],
    },
    "only train": lambda s: {name: c for name, c in whole(s).items() if name.startswith("train")},
    "only val": lambda s: {name: c for name, c in whole(s).items() if name.startswith("val")},
    "no image of a class can be read": lambda s: whole(s, **{f"train/normal/{n}.png": JUNK for n in "ab"}),
    "no image at all can be read": lambda s: dict.fromkeys(whole(s), JUNK),
    "too few sources to split": lambda s: {"fracture/a.png": s[0], "normal/b.png": s[1]},
    "an empty manifest": lambda s: {"manifest.csv": b""},
    "a manifest with only a header": lambda s: {"manifest.csv": b"path,label\n"},
    "a manifest without labels": lambda s: {"manifest.csv": manifest("path,split", "a.png,train"), "a.png": s[0]},
    "a manifest with other column names": lambda s: {"manifest.csv": manifest("Datei;Klasse", "a.png;normal")},
    "a manifest that is a spreadsheet": lambda s: {"manifest.csv": b"PK\x03\x04\xff\xfe\x00\x00"},
    "a manifest of files that are gone": lambda s: {"manifest.csv": manifest("path,label", "a.png,normal")},
    "a manifest with an unknown split": lambda s: {
        "manifest.csv": manifest("path,label,split", "a.png,normal,holdout"), "a.png": s[0],
    },
    "a manifest with a size in words": lambda s: {
        "manifest.csv": manifest("path,label,size_mm", "a.png,fracture,large"), "a.png": s[0],
    },
    "a manifest that leaves images without a split": lambda s: {
        "manifest.csv": manifest("path,label,split", "a.png,fracture,train", "b.png,normal,"),
        "a.png": s[0], "b.png": s[1],
    },
}  # fmt: skip
LEAKS = {
    "one name in two splits": lambda s: whole(
        s, **{"train/fracture/CSFDV1B1 (1)-rotated1.png": s[8], "val/fracture/CSFDV1B1 (1).png": s[9]}
    ),
    "the same file under two names": lambda s: whole(s, **{"val/fracture/zz.png": s[0]}),
    "a rotated copy under another name": lambda s: whole(s, **{"val/fracture/zz.png": np.rot90(s[0])}),
    "a mirrored copy with another label": lambda s: whole(s, **{"val/normal/zz.png": s[0][:, ::-1]}),
    "a source of a manifest in two splits": lambda s: {
        "manifest.csv": manifest(
            "path,label,split,source", "a.png,fracture,train,x", "b.png,normal,train,y", "c.png,fracture,val,x",
            "d.png,normal,val,z",
        ),
        **dict(zip(("a.png", "b.png", "c.png", "d.png"), s)),
    },
}  # fmt: skip


def prepare(folder):
    cohort = index_cohort(folder)
    target = target_of([cohort])
    require_parts(cohort, target)
    loaded = read_cohort(cohort, progress=False)
    require_readable(loaded)
    parts = split_images(loaded, split="auto", on_leakage="error", progress=False).cohort
    require_parts(parts, target)
    return parts


def test_the_unchanged_collection_is_accepted(slices, tmp_path):
    write(tmp_path, whole(slices))
    assert len(prepare(tmp_path)) == 8


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_bad_collection_is_refused(name, slices, tmp_path):
    write(tmp_path, COLLECTIONS[name](slices))
    with pytest.raises(CohortError) as caught:
        prepare(tmp_path)
    assert len(str(caught.value)) > 30, "the message names the cause"


@pytest.mark.parametrize("name", LEAKS)
def test_a_leaking_collection_is_refused_with_its_pair(name, slices, tmp_path):
    write(tmp_path, LEAKS[name](slices))
    with pytest.raises(LeakageError) as caught:
        prepare(tmp_path)
    assert [splits for _, splits in caught.value.pairs] == [("train", "val")]
    assert caught.value.pairs[0][0] in str(caught.value)


def test_a_missing_folder_and_a_single_image_are_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    for data in (tmp_path / "nowhere", tmp_path / "a.png"):
        with pytest.raises(CohortError):
            index_cohort(data)


@pytest.mark.parametrize("pattern", ["(", "no group", r"(?P<scan>.+)"])
def test_a_bad_source_pattern_is_refused(pattern, slices, tmp_path):
    write(tmp_path, whole(slices))
    with pytest.raises(ValueError, match="source_pattern"):
        index_cohort(tmp_path, CollectionOptions(source_pattern=pattern))


def test_a_source_pattern_without_matches_is_refused(slices, tmp_path):
    write(tmp_path, whole(slices))
    with pytest.raises(CohortError, match="matches none"):
        index_cohort(tmp_path, CollectionOptions(source_pattern=r"^patient(?P<source>\d+)$"))


def edited(name, change):
    def edit(folder):
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return edit


CHECKPOINTS = {
    "without config.json": lambda f: (f / "config.json").unlink(),
    "truncated config.json": lambda f: (f / "config.json").write_text('{"id2label": {"0"'),
    "config.json is a list": lambda f: (f / "config.json").write_text("[]"),
    "without classes": edited("config.json", lambda c: c.pop("id2label")),
    "classes that are not numbered": edited("config.json", lambda c: c.update(id2label={"a": "normal"})),
    "a class too many": edited("config.json", lambda c: c["id2label"].update({"2": "tumor"})),
    "without any weights": lambda f: [(f / name).unlink() for name in ("model.onnx", "model.safetensors")],
    "truncated weights": lambda f: os.truncate(f / "model.onnx", 1000),
    "a pickle beside the weights": lambda f: (f / "training_args.bin").write_bytes(b"\x80"),
    "truncated settings": lambda f: (f / "spinealign.json").write_text("{"),
    "settings of a newer format": edited("spinealign.json", lambda c: c.update(format_version=99)),
    "an impossible window": edited("spinealign.json", lambda c: c["preprocessing"].update(window_width=0)),
    "an unknown filter": edited("spinealign.json", lambda c: c["preprocessing"].update(denoise="magic")),
    "a temperature of zero": edited("spinealign.json", lambda c: c["decisions"]["label"].update(temperature=0)),
    "without novelty statistics": lambda f: (f / "novelty.safetensors").unlink(),
    "a novelty threshold in words": edited("spinealign.json", lambda c: c["novelty"].update(threshold="x")),
    "novelty statistics of another network": lambda f: shutil.copy(DEFAULT_FOLDER / "novelty.safetensors", f),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_bad_checkpoint_is_refused(name, tiny_checkpoint, tmp_path, gray):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model", ignore=shutil.ignore_patterns("training"))
    CHECKPOINTS[name](folder)
    with pytest.raises(CheckpointError):
        Predictor.from_pretrained(folder)(gray)


METRICS = {
    "truncated": lambda c: json.dumps(c)[:-50],
    "not text": lambda c: b"\xff\xfe\xff",
    "a list": lambda c: json.dumps([c]),
    "without evaluations": lambda c: "{}",
    "null for evaluations": lambda c: json.dumps({"evaluations": None}),
    "words for evaluations": lambda c: json.dumps({"evaluations": "none"}),
    "a number for evaluations": lambda c: json.dumps({"evaluations": 1}),
    "no evaluation": lambda c: json.dumps({"evaluations": []}),
    "null for an evaluation": lambda c: json.dumps({"evaluations": [None]}),
    "a list for an evaluation": lambda c: json.dumps({"evaluations": [[]]}),
}
WRONG = (None, "x", [], [[]], {}, {"x": 1}, True, -1, 0, 10**400, float("nan"), float("inf"))


def places(content, way=()):
    """Yield the path of keys to every value in JSON content."""
    for key in content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ():
        yield (*way, key)
        yield from places(content[key], (*way, key))


@pytest.mark.parametrize("name", METRICS)
def test_damaged_metrics_do_not_stop_the_page_or_get_pushed(name, tmp_path, tiny_checkpoint):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model")
    text = METRICS[name](json.loads((folder / "metrics.json").read_text()))
    (folder / "metrics.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert "no measured scores" in describe_model(Predictor.from_pretrained(folder))
    with pytest.raises(CheckpointError, match=r"metrics\.json"):
        check_checkpoint(folder)


@pytest.mark.slow
def test_no_wrong_value_in_the_metrics_stops_the_page(tmp_path, toy_model):
    """Check that each wrong value either makes all metrics unusable or can be shown."""
    numbers = {"evaluations": json.loads((toy_model / "metrics.json").read_text())["evaluations"][:1]}
    predictor = Predictor.from_pretrained(toy_model)
    assert "95 % over sources" in describe_model(predictor)
    folder = shutil.copytree(toy_model, tmp_path / "model")
    refused = 0
    for *way, last in list(places(numbers)):
        for wrong in WRONG:
            damaged = json.loads(json.dumps(numbers))
            place = damaged
            for key in way:
                place = place[key]
            place[last] = wrong
            (folder / "metrics.json").write_text(json.dumps(damaged))
            refused += "no measured scores" in describe_model(Predictor(Checkpoint(folder, "toy"), predictor.engine))
    assert refused > 1000


def test_there_are_fifty_cases_with_errors_of_the_library():
    tables = (FILES, ARRAYS, COLLECTIONS, LEAKS, CHECKPOINTS, METRICS)
    assert sum(map(len, tables)) >= 50
    assert all(issubclass(kind, SpineAlignError) for _, kind in (*FILES.values(), *ARRAYS.values()))
