from __future__ import annotations

import json
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from huggingface_hub import DatasetCard, HfApi
from loopback.store import File
from PIL import Image
from pyarrow import parquet
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from spinealign.cohort.cohort import Cohort, Sample
from spinealign.cohort.indexing import index_cohort
from spinealign.errors import CohortError, HubError
from spinealign.hub import datasets
from spinealign.privacy.pseudonyms import read_identity
from spinealign.reading.slices import read_slice

LOAD = """
import json, sys
from spinealign.cohort.indexing import index_cohort
cohort = index_cohort(sys.argv[1])
print(json.dumps([cohort.name, cohort.skipped, [
    [item.label, item.source, item.series, item.split, item.patient, item.size_mm, len(item.image)] for item in cohort
]]))
"""
PLAIN = """
import json, sys
from datasets import load_dataset
rows = load_dataset(sys.argv[1], split="validation")
print(json.dumps([rows.column_names, rows.features["label"].names, rows[0]["image"].size, rows[0]["source"]]))
"""


def answer(process):
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return json.loads(out.splitlines()[-1])


def rows_of(cohort):
    return sorted(
        [item.label, item.source, item.series, item.split, item.patient, item.size_mm, image_size(item)]
        for item in cohort
    )


def image_size(sample):
    return Path(sample.image).stat().st_size


def test_a_pushed_collection_loads_unchanged(hub, phantom_folder):
    repo_id = hub.new_id()
    cohort = index_cohort(phantom_folder)
    cohort.push_to_hub(repo_id, private=True)
    name, skipped, rows = answer(hub.start_python(LOAD, repo_id))
    assert (name, skipped) == (repo_id, [])
    assert sorted(rows, key=str) == sorted(rows_of(cohort), key=str)
    columns, labels, size, source = answer(hub.start_python(PLAIN, repo_id))
    assert columns == ["image", "label", "source", "series", "split", "patient", "size_mm"]
    assert labels == ["normal", "fracture"]
    assert size == [64, 64]
    assert source.startswith("phantom ")


def test_a_push_is_one_commit_with_a_card(hub, phantom_folder):
    repo_id = hub.new_id()
    commit = index_cohort(phantom_folder).push_to_hub(repo_id, private=True, message="Phantoms")
    api = HfApi(token=hub.token, endpoint=hub.endpoint)
    assert [item.title for item in api.list_repo_commits(repo_id, repo_type="dataset")] == [
        "Phantoms",
        "initial commit",
    ]
    info = api.dataset_info(repo_id)
    assert (info.sha, info.private) == (commit.oid, True)
    assert {item.rfilename for item in info.siblings} == {
        ".gitattributes", "README.md",
        *(f"data/{split}-00000-of-00001.parquet" for split in ("train", "validation", "test")),
    }  # fmt: skip
    card = api.hf_hub_download(repo_id, "README.md", repo_type="dataset", cache_dir=hub.cache)
    assert "| train | fracture | 12 | 12 |" in Path(card).read_text()


def test_a_collection_without_split_loads_without_split(local_hub, slice_png):
    samples = tuple(Sample(str(slice_png), label, f"s{label}", name=f"{label}.png") for label in ("fracture", "normal"))
    Cohort("loose", samples).push_to_hub("hospital/loose")
    rows = answer(local_hub.start_python(LOAD, "hospital/loose"))[2]
    assert {row[3] for row in rows} == {None}


def test_collections_are_sharded_and_old_shards_deleted(local_hub, loopback, phantom_folder, monkeypatch):
    cohort = index_cohort(phantom_folder)
    with monkeypatch.context() as patch:
        patch.setattr(datasets, "SHARD_BYTES", 8_000)
        patch.setattr(datasets, "GROUP_ROWS", 2)
        cohort.push_to_hub("hospital/set")
    head = loopback.store.repos["dataset", "hospital/set"]
    assert len([name for name in head.at("main").files if name.startswith("data/train-")]) > 1
    assert len(answer(local_hub.start_python(LOAD, "hospital/set"))[2]) == len(cohort)
    cohort.push_to_hub("hospital/set")
    assert len([name for name in head.at("main").files if name.startswith("data/train-")]) == 1


def test_file_names_are_not_published(local_hub, loopback, tmp_path, slice_png):
    path = shutil.copy(slice_png, tmp_path / "DOE_JANE.png")
    Cohort("set", (Sample(str(path), "normal", "s1", split="train", name="DOE_JANE.png"),)).push_to_hub("hospital/set")
    files = loopback.store.repos["dataset", "hospital/set"].at("main").files
    assert not [name for name, file in files.items() if b"DOE" in file.content]


def test_a_source_named_after_a_file_becomes_a_number(local_hub, loopback, tmp_path, slice_png):
    for name in ("a", "b"):
        for place in ("train/fracture", "train/normal", "val/fracture", "val/normal"):
            (tmp_path / "set" / place).mkdir(parents=True, exist_ok=True)
            shutil.copy(slice_png, tmp_path / "set" / place / f"DOE_JANE_{name}.png")
    index_cohort(tmp_path / "set").push_to_hub("hospital/set")
    files = loopback.store.repos["dataset", "hospital/set"].at("main").files
    assert not [name for name, file in files.items() if b"DOE" in file.content]
    rows = answer(local_hub.start_python(LOAD, "hospital/set"))[2]
    assert len({row[1] for row in rows}) == 8


def published(loopback, repo_id):
    """Return the rows of a dataset on the Hub."""
    files = loopback.store.repos["dataset", repo_id].at("main").files
    shards = [file.content for name, file in sorted(files.items()) if name.endswith(".parquet")]
    return [row for shard in shards for row in parquet.read_table(BytesIO(shard)).to_pylist()]


def test_the_end_of_a_name_is_not_taken_for_a_suffix(local_hub, loopback, slice_png):
    content = slice_png.read_bytes()
    samples = tuple(
        Sample(content, "normal", f"s{index}", split="train", name=name)
        for index, name in enumerate(("IM1.Doe_Jane", "Dr. Roe", "plain"))
    )
    Cohort("set", samples).push_to_hub("hospital/set")
    assert [row["image"]["path"] for row in published(loopback, "hospital/set")] == [
        f"train-{index:06d}.png" for index in range(3)
    ]


def test_numbers_avoid_names_of_other_sources(local_hub, loopback, slice_png):
    content = slice_png.read_bytes()
    named = [("source 1", "a.png"), ("b.png", "b.png"), ("c.png", "c.png"), ("source 3", "d.png")]
    samples = tuple(Sample(content, "normal", source, split="train", name=name) for source, name in named)
    Cohort("set", samples).push_to_hub("hospital/set")
    sources = [row["source"] for row in published(loopback, "hospital/set")]
    assert sources == ["source 1", "source 2", "source 4", "source 3"]


def test_patients_are_published_as_the_collection_names_them(local_hub, loopback, slice_png):
    sample = Sample(slice_png.read_bytes(), "normal", "s", split="train", patient="P7")
    Cohort("set", (sample,)).push_to_hub("hospital/set")
    assert published(loopback, "hospital/set")[0]["patient"] == "P7"


def test_files_of_others_are_kept_and_not_loaded(local_hub, loopback, phantom_folder):
    cohort = index_cohort(phantom_folder)
    cohort.push_to_hub("hospital/set")
    theirs = {"data/annotations/train-00000-of-00001.parquet", "data/train-mine.parquet", "data/extra.parquet"}
    api = HfApi(token=local_hub.token, endpoint=local_hub.endpoint)
    for name in theirs:
        api.upload_file(path_or_fileobj=b"PAR1 theirs", path_in_repo=name, repo_id="hospital/set", repo_type="dataset")
    cohort.push_to_hub("hospital/set", message="Again")
    assert theirs <= loopback.store.repos["dataset", "hospital/set"].at("main").files.keys()
    assert len(answer(local_hub.start_python(LOAD, "hospital/set"))[2]) == len(cohort)


def test_text_of_the_owner_is_kept_and_counts_are_updated(hub, phantom_folder):
    repo_id = hub.new_id()
    cohort = index_cohort(phantom_folder)
    cohort.push_to_hub(repo_id, private=True)
    api = HfApi(token=hub.token, endpoint=hub.endpoint)

    def card():
        return Path(api.hf_hub_download(repo_id, "README.md", repo_type="dataset", cache_dir=hub.cache)).read_text()

    first = card()
    theirs = first.replace("tags:", "license: cc-by-4.0\ndataset_info:\n  features: []\ntags:") + "\nConsent: given.\n"
    for told, there in ((theirs, True), ("---\npretty_name: Ours\n---\nOur own card.\n", False)):
        api.upload_file(path_or_fileobj=told.encode(), path_in_repo="README.md", repo_id=repo_id, repo_type="dataset")
        cohort.part("test").push_to_hub(repo_id, private=True)
        assert ("Consent: given." in card(), "license: cc-by-4.0" in card()) == (there, there)
        assert ("| test | fracture | 6 | 6 |" in card(), "Our own card." in card()) == (there, not there)
        assert "| train |" not in card()
        data = DatasetCard(card()).data
        assert [item["split"] for item in data.configs[0]["data_files"]] == ["test"]
        assert data.get("dataset_info") is None
    assert not cohort.part("test").push_to_hub(repo_id, private=True).changed


def test_an_unreadable_card_is_not_overwritten(local_hub, loopback, slice_png):
    cohort = Cohort("set", (Sample(str(slice_png), "normal", "s", split="train"),))
    cohort.push_to_hub("hospital/set")
    repo = loopback.store.repos["dataset", "hospital/set"]
    repo.commit("main", "by hand", {**repo.at("main").files, "README.md": File(b"\xff\xfe", False)})
    with pytest.raises(HubError, match=r"hospital/set: its current card cannot be read"):
        cohort.push_to_hub("hospital/set")


def ct_slice(**elements) -> bytes:
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CTImageStorage, "1.2.3", "CT"
    dataset.Rows = dataset.Columns = 8
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelData = np.arange(64, dtype="<u2").tobytes()
    for name, value in elements.items():
        setattr(dataset, name, value)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def test_unusable_files_are_named_and_nothing_is_pushed(local_hub, loopback, slice_png):
    contents = {
        "fine.png": slice_png.read_bytes(),
        "a.dcm": b"junk" * 9 + b"Doe^Jane",
        "b.png": b"%PDF Doe^Jane",
        "c.png": b"\x89PNG\r\n\x1a\nDoe^Jane",
        "d.dcm": ct_slice(PatientName="Doe^Jane", BurnedInAnnotation="YES"),
    }
    samples = [Sample(content, "normal", name, split="train", name=name) for name, content in contents.items()]
    with pytest.raises(CohortError, match="4 of 5 files cannot be pushed") as caught:
        Cohort("set", tuple(samples)).push_to_hub("hospital/set")
    for words in (
        "nothing was pushed: a.dcm is a text file",
        "b.png is a PDF document",
        "c.png is damaged",
        "d.dcm has text in its pixels",
    ):
        assert words in str(caught.value)
    assert "Doe" not in str(caught.value)
    assert ("dataset", "hospital/set") not in loopback.store.repos


def test_files_are_rewritten_without_identifiers_and_counted(local_hub, loopback, caplog, slice_png):
    stream = BytesIO()
    Image.open(slice_png).save(stream, "JPEG", comment=b"Doe^Jane")
    headers = [
        {"PatientName": "Doe^Jane", "PatientID": who, "SeriesInstanceUID": "1.2.9"} for who in ("P1", "P1", "P2")
    ]
    contents = [stream.getvalue(), slice_png.read_bytes(), *(ct_slice(**header) for header in headers)]
    samples = [Sample(content, "normal", str(place), split="train") for place, content in enumerate(contents)]
    with caplog.at_level("INFO", "spinealign"):
        Cohort("set", tuple(samples)).push_to_hub("hospital/set")
    assert "Rewrote 4 of 5 files without metadata (3 .dcm, 1 .jpg)." in caplog.text
    rows = published(loopback, "hospital/set")
    for row, content in zip(rows, contents):
        assert b"Doe" not in row["image"]["bytes"]
        np.testing.assert_array_equal(read_slice(row["image"]["bytes"]).pixels, read_slice(content).pixels)
    patients = [read_identity(row["image"]["bytes"], b"s").patient for row in rows[2:]]
    assert patients[0] == patients[1] != patients[2]
    commit = Cohort("set", tuple(samples)).push_to_hub("hospital/set")
    assert not commit.changed


def test_a_collection_that_cannot_be_pushed_is_an_error(local_hub, slice_png, monkeypatch):
    with pytest.raises(CohortError, match="no images to push"):
        Cohort("empty", ()).push_to_hub("hospital/empty")
    with pytest.raises(CohortError, match="set has images in holdout; the splits are train, "):
        Cohort("set", (Sample(str(slice_png), "normal", "s", split="holdout"),)).push_to_hub("hospital/set")
    missing = tuple(Sample(name, "normal", "s", name=name) for name in ("gone.png", "lost.png"))
    with pytest.raises(CohortError, match=r"2 of 2 files .* no file gone\.png; .* no file lost\.png"):
        Cohort("set", missing).push_to_hub("hospital/set")
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    with pytest.raises(HubError, match="is read-only"):
        Cohort("set", missing).push_to_hub("hospital/set")  # nothing is read


def test_an_invisible_dataset_says_how_to_get_access(local_hub, loopback, slice_png):
    Cohort("set", (Sample(str(slice_png), "normal", "s", split="train"),)).push_to_hub("hospital/set", private=True)
    process = local_hub.start_python(LOAD, "hospital/set", HF_TOKEN="")
    assert "check the name, your access (hf auth login) and the network" in process.communicate(timeout=120)[1]
