"""What people get wrong: more than fifty broken files, collections and checkpoints, each refused by its typed error."""

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
from spinealign.checkpoint.finding import DEFAULT_FOLDER, Checkpoint
from spinealign.cohort.indexing import index_cohort, require_binary, require_parts
from spinealign.cohort.preparing import prepare_cohort
from spinealign.config import ConditioningConfig
from spinealign.errors import (
    CheckpointError,
    CohortError,
    LeakageError,
    SpineAlignError,
    UnreadableSliceError,
    UnsupportedFormatError,
)
from spinealign.hub.checks import check_checkpoint
from spinealign.page.about import about
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
    "empty": (b"", UnreadableSliceError),
    "text": (b"this is no image", UnreadableSliceError),
    "random bytes": (bytes(range(256)) * 8, UnreadableSliceError),
    "html of a login page": (b"<!doctype html><title>Sign in</title>", UnreadableSliceError),
    "git-lfs pointer": (b"version https://git-lfs\noid sha256:0\nsize 1\n", UnreadableSliceError),
    "png signature alone": (b"\x89PNG\r\n\x1a\n", UnreadableSliceError),
    "png cut in half": (encoded("PNG")[:900], UnreadableSliceError),
    "png of 3.6 gigapixels": (huge_png(), UnreadableSliceError),
    "jpeg signature alone": (b"\xff\xd8\xff\xe0", UnreadableSliceError),
    "jpeg cut in its header": (encoded("JPEG")[:100], UnreadableSliceError),
    "dicom without a data set": (bytes(128) + b"DICM", UnsupportedFormatError),
    "dicom followed by noise": (bytes(128) + b"DICM" + b"\xff" * 400, UnsupportedFormatError),
    "gif": (encoded("GIF"), UnsupportedFormatError),
    "tiff": (encoded("TIFF"), UnsupportedFormatError),
    "webp": (encoded("WEBP", "RGB"), UnsupportedFormatError),
    "pdf": (b"%PDF-1.7 ...", UnsupportedFormatError),
    "gzip": (b"\x1f\x8b\x08" + bytes(40), UnsupportedFormatError),
    "zip": (b"PK\x03\x04" + bytes(40), UnsupportedFormatError),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused(name, tmp_path):
    content, expected = FILES[name]
    path = tmp_path / "slice.png"
    path.write_bytes(content)
    with pytest.raises(expected) as caught:
        read_slice(path)
    assert len(str(caught.value)) > 30, "it says what to do"


ARRAYS = {
    "volume": (np.zeros((4, 8, 8)), UnsupportedFormatError),
    "row": (np.zeros(64), UnsupportedFormatError),
    "no pixel": (np.zeros((0, 8)), UnsupportedFormatError),
    "complex": (np.zeros((8, 8), complex), UnsupportedFormatError),
    "words": (np.full((8, 8), "a"), UnsupportedFormatError),
    "nan": (np.full((8, 8), np.nan), UnreadableSliceError),
    "infinite": (np.full((8, 8), np.inf), UnreadableSliceError),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_bad_array_is_refused(name):
    array, expected = ARRAYS[name]
    with pytest.raises(expected):
        read_slice(array)


@pytest.fixture(scope="module")
def slices():
    """Twelve slices that no one could take for copies of each other."""
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
    """A collection that is in order, but for what is changed: None leaves a file out."""
    names = [f"{split}/{label}/{n}.png" for split in ("train", "val") for label in ("fracture", "normal") for n in "ab"]
    return {name: content for name, content in {**dict(zip(names, slices)), **changed}.items() if content is not None}


def manifest(*lines):
    return "\n".join(lines).encode()


JUNK = b"no image"
COLLECTIONS = {
    "an empty folder": lambda s: {"notes.txt": JUNK},
    "images without class folders": lambda s: {"a.png": s[0], "b.png": s[1]},
    "class folders without images": lambda s: {"fracture/readme.txt": JUNK, "normal/readme.txt": JUNK},
    "one class is empty": lambda s: {"fracture/a.png": s[0], "normal/readme.txt": JUNK},
    "one class alone": lambda s: {"fracture/a.png": s[0], "fracture/b.png": s[1]},
    "no class is the finding": lambda s: {"broken/a.png": s[0], "normal/b.png": s[1]},
    "the finding is misspelt": lambda s: {"fractrue/a.png": s[0], "normal/b.png": s[1]},
    "three classes": lambda s: {"fracture/a.png": s[0], "normal/b.png": s[1], "tumor/c.png": s[2]},
    "a class is missing in val": lambda s: whole(s, **{f"val/normal/{n}.png": None for n in "ab"}),
    "a class is misspelt in val": lambda s: {
        **whole(s, **{f"val/normal/{n}.png": None for n in "ab"}), "val/norml/a.png": s[9],
    },
    "train alone": lambda s: {name: c for name, c in whole(s).items() if name.startswith("train")},
    "val alone": lambda s: {name: c for name, c in whole(s).items() if name.startswith("val")},
    "no image of a class can be read": lambda s: whole(s, **{f"train/normal/{n}.png": JUNK for n in "ab"}),
    "no image at all can be read": lambda s: dict.fromkeys(whole(s), JUNK),
    "too few sources to cut": lambda s: {"fracture/a.png": s[0], "normal/b.png": s[1]},
    "an empty manifest": lambda s: {"manifest.csv": b""},
    "a manifest of a header alone": lambda s: {"manifest.csv": b"path,label\n"},
    "a manifest without labels": lambda s: {"manifest.csv": manifest("path,split", "a.png,train"), "a.png": s[0]},
    "a manifest in another tongue": lambda s: {"manifest.csv": manifest("Datei;Klasse", "a.png;normal")},
    "a manifest that is a spreadsheet": lambda s: {"manifest.csv": b"PK\x03\x04\xff\xfe\x00\x00"},
    "a manifest of files that are gone": lambda s: {"manifest.csv": manifest("path,label", "a.png,normal")},
    "a manifest with an unknown split": lambda s: {
        "manifest.csv": manifest("path,label,split", "a.png,normal,holdout"), "a.png": s[0],
    },
    "a manifest with a size in words": lambda s: {
        "manifest.csv": manifest("path,label,size_mm", "a.png,fracture,large"), "a.png": s[0],
    },
    "a manifest that leaves images without a part": lambda s: {
        "manifest.csv": manifest("path,label,split", "a.png,fracture,train", "b.png,normal,"),
        "a.png": s[0], "b.png": s[1],
    },
}  # fmt: skip
LEAKS = {
    "one name in two parts": lambda s: whole(
        s, **{"train/fracture/CSFDV1B1 (1)-rotated1.png": s[8], "val/fracture/CSFDV1B1 (1).png": s[9]}
    ),
    "the same file under two names": lambda s: whole(s, **{"val/fracture/zz.png": s[0]}),
    "a turned copy under another name": lambda s: whole(s, **{"val/fracture/zz.png": np.rot90(s[0])}),
    "a mirrored copy with another label": lambda s: whole(s, **{"val/normal/zz.png": s[0][:, ::-1]}),
    "a source of a manifest in two parts": lambda s: {
        "manifest.csv": manifest(
            "path,label,split,source", "a.png,fracture,train,x", "b.png,normal,train,y", "c.png,fracture,val,x",
            "d.png,normal,val,z",
        ),
        **dict(zip(("a.png", "b.png", "c.png", "d.png"), s)),
    },
}  # fmt: skip


def prepare(folder):
    cohort = index_cohort(folder)
    require_binary(cohort)
    config = ConditioningConfig()
    loaded = prepare_cohort(cohort, config, split="auto", on_leakage="error", progress=False)
    return require_parts(loaded.cohort)


def test_the_collection_that_the_others_are_made_from_is_in_order(slices, tmp_path):
    write(tmp_path, whole(slices))
    assert len(prepare(tmp_path)) == 8


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_bad_collection_is_refused(name, slices, tmp_path):
    write(tmp_path, COLLECTIONS[name](slices))
    with pytest.raises(CohortError) as caught:
        prepare(tmp_path)
    assert len(str(caught.value)) > 30, "it says what is wrong"


@pytest.mark.parametrize("name", LEAKS)
def test_a_collection_that_leaks_is_refused_with_the_pair(name, slices, tmp_path):
    write(tmp_path, LEAKS[name](slices))
    with pytest.raises(LeakageError) as caught:
        prepare(tmp_path)
    assert [splits for _, splits in caught.value.pairs] == [("train", "val")]
    assert caught.value.pairs[0][0] in str(caught.value)


def test_a_folder_that_is_not_there_and_a_bare_image_are_no_collections(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    for data in (tmp_path / "nowhere", tmp_path / "a.png"):
        with pytest.raises(CohortError):
            index_cohort(data)


@pytest.mark.parametrize("pattern", ["(", "no group", r"(?P<scan>.+)"])
def test_a_bad_source_pattern_is_refused(pattern, slices, tmp_path):
    write(tmp_path, whole(slices))
    with pytest.raises(ValueError, match="source_pattern"):
        index_cohort(tmp_path, source_pattern=pattern)


def test_a_source_pattern_that_fits_no_name_is_refused(slices, tmp_path):
    write(tmp_path, whole(slices))
    with pytest.raises(CohortError, match="fits none"):
        index_cohort(tmp_path, source_pattern=r"^patient(?P<source>\d+)$")


def edited(name, change):
    def edit(folder):
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return edit


CHECKPOINTS = {
    "without config.json": lambda f: (f / "config.json").unlink(),
    "config.json cut off": lambda f: (f / "config.json").write_text('{"id2label": {"0"'),
    "config.json is a list": lambda f: (f / "config.json").write_text("[]"),
    "without classes": edited("config.json", lambda c: c.pop("id2label")),
    "classes that are not numbered": edited("config.json", lambda c: c.update(id2label={"a": "normal"})),
    "a class too many": edited("config.json", lambda c: c["id2label"].update({"2": "tumor"})),
    "without any weights": lambda f: [(f / name).unlink() for name in ("model.onnx", "model.safetensors")],
    "weights cut off": lambda f: os.truncate(f / "model.onnx", 1000),
    "a pickle beside the weights": lambda f: (f / "training_args.bin").write_bytes(b"\x80"),
    "settings cut off": lambda f: (f / "spinealign.json").write_text("{"),
    "settings of a newer format": edited("spinealign.json", lambda c: c.update(format_version=99)),
    "an impossible window": edited("spinealign.json", lambda c: c["conditioning"].update(window_width=0)),
    "an unknown filter": edited("spinealign.json", lambda c: c["conditioning"].update(denoise="magic")),
    "a temperature of zero": edited("spinealign.json", lambda c: c["decision"].update(temperature=0)),
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
    "cut off": lambda c: json.dumps(c)[:-50],
    "no text": lambda c: b"\xff\xfe\xff",
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
    """Yield the way to everything in JSON content, in depth."""
    for key in content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ():
        yield (*way, key)
        yield from places(content[key], (*way, key))


@pytest.mark.parametrize("name", METRICS)
def test_damaged_numbers_stop_no_page_and_are_never_pushed(name, tmp_path, tiny_checkpoint):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model")
    text = METRICS[name](json.loads((folder / "metrics.json").read_text()))
    (folder / "metrics.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert "brings no measured numbers" in about(Predictor.from_pretrained(folder))
    with pytest.raises(CheckpointError, match=r"metrics\.json"):
        check_checkpoint(folder)


def test_no_wrong_value_at_any_place_of_the_numbers_stops_the_page(tmp_path, toy_model):
    """Each value is either refused, with all numbers, or can be shown."""
    numbers = {"evaluations": json.loads((toy_model / "metrics.json").read_text())["evaluations"][:1]}
    predictor = Predictor.from_pretrained(toy_model)
    assert "95 % over sources" in about(predictor)
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
            refused += "brings no measured numbers" in about(Predictor(Checkpoint(folder, "toy"), predictor.engine))
    assert refused > 1000


def test_there_are_more_than_fifty_of_them_and_all_errors_are_of_one_tree():
    tables = (FILES, ARRAYS, COLLECTIONS, LEAKS, CHECKPOINTS, METRICS)
    assert sum(map(len, tables)) >= 50
    assert all(issubclass(kind, SpineAlignError) for _, kind in (*FILES.values(), *ARRAYS.values()))
