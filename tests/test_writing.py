from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spinealign.writing import new_folder, replaced_together

NAMES = ("a.bin", "b.bin", "key.json", "z.bin")
# Interrupt replacements before their 1st, 2nd, ... change of the file system, in one process that forks.
INTERRUPT = """
import itertools, json, os, signal, sys
from pathlib import Path
from test_writing import generations, write
from spinealign.writing import finish_replacement

folder, how, fatal, changes = Path(sys.argv[1]), sys.argv[2], 0, itertools.count(1)

def count(event, arguments):
    if event in ("os.rename", "os.remove", "os.rmdir") and fatal == next(changes):
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise KeyboardInterrupt

status, seen = 1, []
while status:
    fatal += 1
    write(folder, "old")
    child = os.fork()
    if not child:
        sys.addaudithook(count)
        try:
            write(folder, "new")
        except KeyboardInterrupt:
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    before = generations(folder)
    finish_replacement(folder, key="key.json")
    after = generations(folder)
    write(folder, "next")
    seen.append([before, after, generations(folder), sorted(path.name for path in folder.iterdir())])
print(json.dumps(seen))
"""


def write(folder, generation):
    with replaced_together(folder, key="key.json", owned=("a.bin", "b.bin", "key.json", "optional.bin")) as staging:
        for name in (*NAMES, *(["optional.bin"] if generation == "old" else [])):
            (staging / name).write_text(generation)


def generations(folder):
    """Return what a reader sees that uses nothing without the key."""
    if not (folder / "key.json").exists():
        return []
    return sorted({path.read_text() for path in folder.iterdir() if path.suffix in (".json", ".bin")})


def interrupted(folder, how):
    process = subprocess.run(
        [sys.executable, "-c", INTERRUPT, folder, how], cwd=Path(__file__).parent, text=True, timeout=60,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    return json.loads(process.stdout)


def test_files_are_moved_when_all_are_written(tmp_path):
    folder = tmp_path / "model"
    with replaced_together(folder, key="a.json") as staging:
        (staging / "a.json").write_text("new")
        assert not (folder / "a.json").exists()
    assert (folder / "a.json").read_text() == "new"
    assert [path.name for path in folder.iterdir()] == ["a.json"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_save_keeps_the_old_file(tmp_path, interruption):
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(interruption), replaced_together(tmp_path, key="a.json") as staging:
        (staging / "a.json").write_text("half")
        raise interruption
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


def test_files_of_others_are_kept_and_old_ones_deleted(tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    write(tmp_path, "old")
    assert (tmp_path / "optional.bin").exists()
    write(tmp_path, "new")
    assert {path.name for path in tmp_path.iterdir()} == {*NAMES, "training", "notes.txt"}


def test_a_killed_replacement_never_mixes_files(tmp_path):
    seen = interrupted(tmp_path, "kill")
    assert len(seen) > 8
    for before, after, following, names in seen:
        assert (before, after) in [(["old"], ["old"]), (["old"], ["new"]), ([], ["new"]), (["new"], ["new"])]
        assert (following, names) == (["next"], sorted(NAMES))
    assert [[], ["new"]] in [item[:2] for item in seen], "one is killed between two files"


def test_an_interrupted_replacement_is_finished_first(tmp_path):
    seen = interrupted(tmp_path, "Ctrl-C")
    assert len(seen) > 8
    assert [item[:2] for item in seen if item[:2] not in ([["old"], ["old"]], [["new"], ["new"]])] == []


def test_simultaneous_writers_do_not_mix_their_files(tmp_path):
    script = (
        "import sys\nfrom pathlib import Path\nfrom test_writing import write\n"
        "for _ in range(10):\n    write(Path(sys.argv[1]), sys.argv[2])"
    )
    words = [[sys.executable, "-c", script, tmp_path, name] for name in ("one", "two")]
    processes = [subprocess.Popen(word, cwd=Path(__file__).parent) for word in words]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert generations(tmp_path) in (["one"], ["two"])
    assert {path.name for path in tmp_path.iterdir()} == set(NAMES)


def test_threads_of_a_process_take_turns(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: write(tmp_path, str(number)), range(12)))
    assert len(generations(tmp_path)) == 1


def test_a_new_folder_is_renamed_at_the_end(tmp_path):
    (tmp_path / "space").mkdir()
    with new_folder(tmp_path / "space") as staging:
        (staging / "a.txt").write_text("new")
        assert not list((tmp_path / "space").iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["space"]
    assert (tmp_path / "space" / "a.txt").read_text() == "new"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_folder_leaves_nothing(tmp_path, interruption):
    with pytest.raises(interruption), new_folder(tmp_path / "space") as staging:
        (staging / "a.txt").write_text("half")
        raise interruption
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_empty_is_not_changed(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(FileExistsError, match="not empty"), new_folder(tmp_path):
        pass
    assert (tmp_path / "a.txt").read_text() == "old"


def test_of_two_writers_of_a_new_folder_the_first_wins(tmp_path):
    with pytest.raises(FileExistsError, match="not empty"), new_folder(tmp_path / "space") as staging:
        (staging / "a.txt").write_text("second")
        with new_folder(tmp_path / "space") as other:
            (other / "a.txt").write_text("first")
    assert (tmp_path / "space" / "a.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["space"]


@pytest.mark.slow
def test_two_evaluations_may_write_to_one_folder(tmp_path, phantom_folder):
    script = "import sys; from spinealign.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", script, "evaluate", phantom_folder, "--output", tmp_path / "out"]
    processes = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(300) for process in processes] == [0, 0]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "evaluation.json", "evaluation.png", "worst_cases.png",
    }  # fmt: skip
