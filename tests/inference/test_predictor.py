from __future__ import annotations

import multiprocessing
import pickle
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

import spinealign
from spinealign import Predictor
from spinealign.errors import ImageError, UnreadableImageError, UnsupportedFormatError
from spinealign.inference import predictor as predictor_module
from spinealign.inference import prepared
from spinealign.labels import target_of_outputs
from spinealign.phantoms.axial_neck import draw_phantom


@pytest.fixture(scope="module")
def predictor():
    return Predictor.from_pretrained()


@pytest.fixture
def toy(toy_model):
    return Predictor.from_pretrained(toy_model)


def test_a_prediction_has_the_label_and_all_probabilities(predictor, gray):
    prediction = predictor(gray)
    assert prediction.confidence == max(prediction.probabilities.values())
    assert prediction.probabilities[prediction.label] == prediction.confidence
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert not prediction.accepted, "it is far too small"
    assert any("too small: shorter side 40 pixels" in reason for reason in prediction.rejection_reasons)
    assert prediction.model == "spinealign/default"


def test_a_prediction_has_the_notes_of_the_reader(toy, gray, tmp_path):
    path = tmp_path / "animation.gif"
    Image.fromarray(gray).save(path, save_all=True, append_images=[Image.fromarray(255 - gray)])
    assert toy(path).notes == ("The first of several frames.",)


def test_predict_and_predictor_agree(predictor, slice_png):
    assert spinealign.predict(str(slice_png)).to_dict() == predictor(slice_png).to_dict()


def test_the_repr_names_model_labels_and_engine(toy, toy_model):
    assert repr(toy) == f"Predictor({str(toy_model)!r}, 'binary', labels=('normal', 'fracture'), engine='onnx')"


@pytest.mark.parametrize("several", [list, tuple, iter, dict.fromkeys])
def test_several_sources_give_a_list_in_their_order(toy, slices, several):
    paths = [str(slices[name]) for name in ("eight", "small", "dicom")] * 4
    expected = [toy(path) for path in several(paths)]
    assert toy(several(paths)) == expected
    assert toy(several([])) == []


def test_batches_compute_what_single_images_give(predictor):
    images = [draw_phantom(seed, size=96).slice for seed in range(9)]
    together = [prediction.probabilities["fracture"] for prediction in predictor(images)]
    single = [predictor(image).probabilities["fracture"] for image in images]
    assert together == pytest.approx(single, abs=1e-5)


@pytest.mark.parametrize("several", [list, tuple, iter])
def test_a_bad_item_of_several_keeps_the_good_ones(toy_model, slice_png, tmp_path, several):
    sources = [str(slice_png), str(tmp_path / "missing.png"), 3, slice_png.read_bytes()]
    good, missing, number, last = spinealign.predict(several(sources), model=toy_model)
    assert good == spinealign.predict(slice_png, model=toy_model)
    assert last.probabilities == good.probabilities
    assert isinstance(missing, UnreadableImageError)
    assert missing.source == str(tmp_path / "missing.png")
    assert isinstance(number, ImageError)
    assert number.source == "int"


@pytest.mark.parametrize("array", [np.zeros(9), np.zeros((4, 9, 9)), np.zeros((9, 9, 4))])
def test_an_array_is_never_several_sources(toy, array):
    with pytest.raises(UnsupportedFormatError):
        toy(array)
    with pytest.raises(TypeError, match="put it in a list"):
        toy.predict_many(array)
    assert isinstance(toy([array])[0], UnsupportedFormatError)


def test_each_kind_of_single_source_gives_one_prediction(toy, slice_png, gray):
    expected = toy(gray).probabilities
    sources = [str(slice_png), slice_png, slice_png.read_bytes(), bytearray(slice_png.read_bytes()), gray]
    for source in [*sources, Image.fromarray(gray)]:
        assert toy(source).probabilities == expected
    with slice_png.open("rb") as stream:
        assert toy(stream).probabilities == expected


def test_a_prediction_names_its_source(toy, slice_png, gray):
    assert toy(slice_png).source == str(slice_png)
    assert [item.source for item in toy([str(slice_png), gray])] == [str(slice_png), "array"]


def test_threads_may_share_a_predictor(predictor):
    images = [draw_phantom(seed, size=96).slice for seed in range(6)]
    with ThreadPoolExecutor(4) as pool:
        shared = [prediction.to_dict() for prediction in pool.map(predictor, images)]
    assert shared == [predictor(image).to_dict() for image in images]


def test_an_unreadable_image_raises(toy, tmp_path):
    with pytest.raises(UnreadableImageError):
        toy(tmp_path / "nothing.png")
    with pytest.raises(TypeError, match="int"):
        toy(3)


@pytest.mark.parametrize(
    ("positive", "shares", "found"),
    [
        ("fracture", [0.41, 0.59], "normal"),
        ("fracture", [0.39, 0.61], "fracture"),
        ("normal", [0.59, 0.41], "fracture"),
        ("normal", [0.61, 0.39], "normal"),
    ],
)
def test_the_positive_class_is_decided_by_the_operating_point(toy, positive, shares, found):
    (label,) = target_of_outputs(("normal", "fracture"), positive=positive).labels
    finding = toy.find(label, np.array(shares))
    assert (finding.label, finding.is_positive) == (found, found == positive)
    assert finding.confidence == finding.probabilities[found]


# Many images


def closed_file():
    stream = Path(__file__).open("rb")  # noqa: SIM115
    stream.close()
    return stream


def damaged_member():
    """Return an open member of a zip file with a wrong checksum."""
    archive = BytesIO()
    with ZipFile(archive, "w") as target:
        target.writestr("slice.png", b"pixels")
    return ZipFile(BytesIO(archive.getvalue().replace(b"pixels", b"pixelz"))).open("slice.png")


def test_a_bad_item_never_ends_a_batch(toy, slice_png, tmp_path, gray):
    text = tmp_path / "text.png"
    text.write_text("no image")
    others = [closed_file(), np.zeros((2, 2, 2)), [slice_png], damaged_member()]
    bad = [str(text), str(tmp_path), "a" * 300, "", b"", 3, None, *others]
    items = list(toy.predict_many([gray, *bad, slice_png] * 2))
    assert len(items) == 2 * (len(bad) + 2)
    for place, item in enumerate(items):
        assert isinstance(item, ImageError) == (place % 13 not in (0, 12)), item
    assert items[1].source == str(text)
    assert "text.png" in str(items[1])
    assert "is a folder" in str(items[2])
    assert "cannot be opened" in str(items[3])
    assert [item.source for item in items[5:10]] == ["bytes", "int", "NoneType", "BufferedReader", "ndarray"]
    assert isinstance(items[9], UnsupportedFormatError)
    assert items[12] == toy(slice_png)


def test_errors_do_not_keep_the_files_in_memory(toy):
    damaged = (b"\x89PNG\r\n\x1a\n" + bytes(1_000_000 + number) for number in range(20))
    tracemalloc.start()
    errors = toy(damaged)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert {type(error) for error in errors} == {UnreadableImageError}
    assert kept < 5_000_000


def test_the_first_bad_item_raises_after_those_before_it(toy, gray, tmp_path):
    items = toy.predict_many([gray] * 10 + [tmp_path / "nothing.png", gray], errors="raise")
    assert [next(items).label for _ in range(10)] == [toy(gray).label] * 10
    with pytest.raises(UnreadableImageError, match=r"nothing\.png"):
        next(items)
    with pytest.raises(TypeError, match="int"):
        list(toy.predict_many([3], errors="raise"))


def test_an_endless_iterable_is_read_one_batch_ahead(toy, gray):
    read = []
    items = toy.predict_many(read.append(number) or gray for number in iter(int, 1))
    assert read == []
    next(items)
    assert len(read) == predictor_module.BATCH_SIZE


def test_wrong_arguments_are_refused_at_once(toy):
    with pytest.raises(ValueError, match="'return' or 'raise'"):
        toy.predict_many([], errors="ignore")


def test_explained_predictions_equal_separate_explanations(toy, slices):
    paths = [slices["eight"], slices["dicom"]]
    for path, item in zip(paths, toy.predict_many(paths, explain=True)):
        alone = toy.explain(path)
        np.testing.assert_allclose(item.heat_map.heat, alone.heat, atol=1e-6)
        assert item.heat_map.label == item.label == alone.label
        assert item.heat_map.confidence == item.confidence
        assert item.heat_map.source == item.source == str(path)
        assert item == toy(path)
        assert toy(path).heat_map is None


def test_an_image_is_decoded_and_rendered_once(toy, slices, monkeypatch):
    calls = {"read": 0, "render": 0}

    def counted(name, function):
        def count(*words, **keywords):
            calls[name] += 1
            return function(*words, **keywords)

        return count

    monkeypatch.setattr(predictor_module, "read_slice", counted("read", predictor_module.read_slice))
    monkeypatch.setattr(prepared, "render", counted("render", prepared.render))
    list(toy.predict_many([slices["eight"], slices["dicom"]], explain=True))
    assert calls == {"read": 2, "render": 2}
    toy.explain(slices["eight"])
    assert calls == {"read": 3, "render": 3}


# Pickling


def test_a_predictor_pickles_by_its_folder(toy, gray):
    toy.checkpoint.check()
    content = pickle.dumps(toy)
    assert len(content) < 1000, "no weights and no parsed files"
    again = pickle.loads(content)
    assert repr(again) == repr(toy)
    assert again(gray) == toy(gray)


def test_a_pickle_keeps_engine_and_device(tiny_checkpoint, gray):
    torch = Predictor.from_pretrained(tiny_checkpoint, engine="torch", device="cpu")
    again = pickle.loads(pickle.dumps(torch))
    assert (again.engine.name, again.engine.device) == ("torch", "cpu")
    assert again(gray) == torch(gray)


def test_spawned_workers_predict(toy, gray):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(toy, [gray, gray.T])) == [toy(gray), toy(gray.T)]


def test_a_checkpoint_of_the_hub_pickles_without_a_token(local_hub, loopback, tiny_checkpoint, gray, monkeypatch):
    from loopback.store import File, Repo

    repo = loopback.store.repos["model", "hospital/model"] = Repo("hospital", private=True)
    files = {
        path.name: File(path.read_bytes(), False) for path in tiny_checkpoint.iterdir() if path.suffix != ".png"
        if path.is_file()
    }  # fmt: skip
    repo.commit("main", "by hand", files)
    monkeypatch.delenv("HF_TOKEN")
    predictor = Predictor.from_pretrained("hospital/model", token="hf_owner")
    content = pickle.dumps(predictor)
    assert b"hf_owner" not in content
    assert pickle.loads(content)(gray) == predictor(gray)


# The embedded model


def test_the_embedded_model_finds_wide_breaks_in_phantoms(predictor):
    phantoms = [draw_phantom(5_000_000 + n, fractured=n % 2 == 0, break_mm=6.0, size=256) for n in range(20)]
    found = [prediction.label for prediction in predictor([phantom.slice for phantom in phantoms])]
    right = [label == phantom.label for label, phantom in zip(found, phantoms)]
    assert np.mean(right) >= 0.85


def test_the_embedded_model_does_not_accept_mri(predictor):
    drawn = draw_phantom(7_000_001, size=160).slice
    prediction = predictor(replace(drawn, modality="MR"))
    assert not prediction.accepted
    assert prediction.rejection_reasons[0] == "wrong modality: MR (expects CT)"


@pytest.mark.data
@pytest.mark.slow
def test_both_engines_find_the_same_with_the_embedded_model(predictor, data):
    files = sorted((data / "cervical fracture" / "val").rglob("*.png"))[::4]
    phantoms = [draw_phantom(5_500_000 + n, fractured=n % 2 == 0).slice for n in range(100)]
    torch = Predictor.from_pretrained(engine="torch")
    same = [
        left.label == right.label for left, right in zip(predictor([*files, *phantoms]), torch([*files, *phantoms]))
    ]
    assert len(same) == 200
    assert np.mean(same) >= 0.995


@pytest.mark.data
@pytest.mark.slow
def test_the_embedded_model_reaches_its_published_accuracy(predictor, data):
    from spinealign.cohort.indexing import index_cohort
    from spinealign.cohort.loading import read_cohort
    from spinealign.cohort.splitting import split_images
    from spinealign.evaluation.scoring import score

    cohort = index_cohort(data / "cervical fracture")
    read = read_cohort(cohort, predictor.preprocessing, progress=False)
    loaded = split_images(read, split=None, on_leakage="drop", progress=False)
    evaluation = score(predictor, loaded)
    assert (evaluation.images, evaluation.sources) == (400, 20)
    assert evaluation.scores["accuracy"] >= 0.99
    assert evaluation.thumbnail_ridge_accuracy >= 0.95, "so this proves nothing about fractures"


@pytest.mark.parametrize("one", ["a.png", b"bytes", bytearray(b"x"), np.zeros((9, 9)), Path("a.png"), BytesIO(b"x")])
def test_one_source_is_not_many(toy, one):
    with pytest.raises(TypeError, match="put it in a list"):
        toy.predict_many(one)


def test_a_raised_error_names_its_source(predictor, tmp_path):
    missing = tmp_path / "missing.png"
    with pytest.raises(ImageError) as caught:
        predictor(missing)
    assert caught.value.source == str(missing)


def test_a_predictor_of_a_relative_folder_pickles(tiny_checkpoint, tmp_path, monkeypatch, gray):
    monkeypatch.chdir(tiny_checkpoint.parent)
    content = pickle.dumps(Predictor.from_pretrained(tiny_checkpoint.name))
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(content)(gray).label in ("normal", "fracture")
