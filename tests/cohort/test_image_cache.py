from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spinealign import audit, evaluate, load_cohort
from spinealign.cli import main
from spinealign.cohort import rendering
from spinealign.cohort.image_cache import clear_cache, fingerprint, image_folder, list_cache
from spinealign.cohort.indexing import index_cohort
from spinealign.cohort.loading import read_cohort
from spinealign.config import PreprocessingConfig
from spinealign.errors import CohortError

CONFIG = PreprocessingConfig(image_size=32)


@pytest.fixture
def folder(tmp_path, phantom_folder):
    """A small collection whose files may be changed."""
    for sample in index_cohort(phantom_folder).part("val"):
        target = tmp_path / "set" / sample.label / Path(sample.image).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sample.image, target)
    return tmp_path / "set"


@pytest.fixture
def decoded(monkeypatch):
    """Number of files that were decoded."""
    files, original = [], rendering.read_slice
    monkeypatch.setattr(rendering, "read_slice", lambda content: files.append(0) or original(content))
    return files


def read(folder, cache, config=CONFIG):
    return read_cohort(index_cohort(folder), config, progress=False, folder=cache)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_unchanged_files_are_rendered_once(folder, tmp_path, decoded):
    (folder / "normal" / "bad.png").write_bytes(b"no image")
    first = read(folder, tmp_path / "cache")
    count = len(decoded)
    second = read(folder, tmp_path / "cache")
    assert len(decoded) == count
    assert second.cohort == first.cohort
    assert second.unreadable == first.unreadable != ()
    np.testing.assert_array_equal(second.gray[:], first.gray[:])
    np.testing.assert_array_equal(second.looks[:], first.looks[:])
    assert all(np.array_equal(second.properties[name], first.properties[name]) for name in first.properties)


def test_load_cohort_keeps_images_in_a_cache(folder, tmp_path, decoded):
    cohorts = [load_cohort(folder, split="source", cache_dir=tmp_path / "cache", progress=False) for _ in range(2)]
    assert cohorts[0] == cohorts[1]
    assert len(decoded) == len(cohorts[0])


@pytest.mark.parametrize("change", ["content", "time", "removed", "size of the images", "release"])
def test_a_change_renders_again(folder, tmp_path, decoded, change, monkeypatch):
    read(folder, tmp_path / "cache")
    count, config = len(decoded), CONFIG
    path = min((folder / "normal").iterdir())
    if change == "content":
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    elif change == "time":
        os.utime(path, ns=(1, 1))
    elif change == "removed":
        path.unlink()
    elif change == "release":
        monkeypatch.setattr(rendering, "__version__", "99")
    else:
        config = PreprocessingConfig(image_size=40)
    read(folder, tmp_path / "cache", config)
    assert len(decoded) >= 2 * count - 1


def test_a_changed_archive_is_rendered_again(folder, tmp_path, decoded):
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", folder)
    read(archive, tmp_path / "cache")
    read(archive, tmp_path / "cache")
    assert len(decoded) == 8
    os.utime(archive, ns=(1, 1))
    read(archive, tmp_path / "cache")
    assert len(decoded) == 16


def test_another_normalization_or_label_uses_the_same_images(folder, tmp_path, decoded):
    read(folder, tmp_path / "cache")
    count = len(decoded)
    read(folder, tmp_path / "cache", PreprocessingConfig(image_size=32, image_mean=(0.5,), image_std=(0.5,)))
    assert len(decoded) == count


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_nothing_is_kept_without_a_cache(folder, temporary, toy_model):
    found = audit(folder, progress=False)
    assert found.pictures.gray[0].shape == (224, 224)
    del found
    gc.collect()
    evaluate(toy_model, folder, progress=False)
    assert names(temporary) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, CohortError])
def test_an_interrupted_run_keeps_nothing(folder, temporary, error):
    with pytest.raises(error), image_folder(None) as images:
        loaded = read(folder, images)
        assert names(temporary) != []
        raise error(loaded.cohort.name)
    assert names(temporary) == []


def test_an_interrupted_rendering_leaves_no_entry(folder, tmp_path, monkeypatch):
    def interrupted(content):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(rendering, "read_slice", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read(folder, tmp_path / "cache")
    assert list_cache(tmp_path / "cache") == []
    assert len(read(folder, tmp_path / "cache").gray) == 8


RENDER = """
import os, sys, time
from pathlib import Path
from spinealign.cohort import loading, rendering
from spinealign.cohort.indexing import index_cohort
if sys.argv[3] == "slow":
    read = rendering.read_slice
    rendering.read_slice = lambda content: (os.write(1, b"reading\\n"), time.sleep(60), read(content))[2]
found = loading.read_cohort(index_cohort(sys.argv[1]), progress=False, folder=Path(sys.argv[2]))
print(len(found.gray), flush=True)
"""


def rendering_process(folder, cache, speed):
    words = [sys.executable, "-c", textwrap.dedent(RENDER), str(folder), str(cache), speed]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_killed_process_leaves_no_entry(folder, tmp_path):
    with rendering_process(folder, tmp_path / "cache", "slow") as process:
        assert process.stdout.readline() == "reading\n"
        assert clear_cache(tmp_path / "cache") == []
        assert [name for name in names(tmp_path / "cache") if "images" in name], "its files are in use"
        process.send_signal(signal.SIGKILL)
    assert list_cache(tmp_path / "cache") == []
    loaded = read(folder, tmp_path / "cache", None)
    assert len(loaded.gray) == 8
    assert len(list_cache(tmp_path / "cache")) == 1
    del loaded
    gc.collect()
    clear_cache(tmp_path / "cache")
    assert names(tmp_path / "cache") == []


@pytest.mark.slow
def test_parallel_runs_share_an_entry(folder, tmp_path):
    processes = [rendering_process(folder, tmp_path / "cache", "fast") for _ in range(3)]
    assert [process.communicate()[0] for process in processes] == ["8\n"] * 3
    assert len(list_cache(tmp_path / "cache")) == 1


def test_clearing_deletes_only_the_images(folder, tmp_path, capsys):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "notes.txt").write_text("mine")
    (cache / "spinealign-images-of-mine").mkdir()
    loaded = read(folder, cache)
    main(["cache", "clear", "--cache_dir", str(cache)])
    shown = capsys.readouterr()
    assert ": 0 (0.0 MB)" in shown.out
    assert shown.err == "Entries kept, because a process uses them: 1\n"
    np.testing.assert_array_equal(loaded.gray[0].shape, (32, 32))
    del loaded
    gc.collect()
    main(["cache", "list", "--cache_dir", str(cache)])
    assert "MB" in capsys.readouterr().out
    main(["cache", "clear", "--cache_dir", str(cache)])
    shown = capsys.readouterr()
    assert ": 1 (" in shown.out
    assert shown.err == ""
    assert names(cache) == ["notes.txt", "spinealign-images-of-mine"]


def test_a_small_disk_is_noticed_before_reading(folder, tmp_path, decoded, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(CohortError, match=r"GB are needed in .*cache.* Set TMPDIR or cache_dir"):
        read(folder, tmp_path / "cache")
    assert decoded == []


def test_images_are_in_memory_without_datasets(folder, tmp_path, monkeypatch):
    stored = read(folder, tmp_path / "cache")
    monkeypatch.setattr(rendering, "find_spec", lambda name: None)
    kept = read(folder, None)
    assert isinstance(kept.gray, np.ndarray)
    np.testing.assert_array_equal(kept.gray, stored.gray[:])
    assert kept.cohort == stored.cohort


def test_a_forked_process_does_not_delete_the_images(folder, temporary):
    loaded = read(folder, None)
    process = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(0))
    process.start()
    process.join()
    assert len(loaded.gray[:]) == 8


def test_a_changed_archive_has_another_fingerprint(tmp_path):
    keys = set()
    for content in (b"1", b"22", b"22"):
        if content != b"22" or len(keys) == 1:
            with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
                archive.writestr("a.png", content)
        keys.add(fingerprint("settings", [f"{tmp_path}/set.zip/a.png"]))
    assert len(keys) == 2
