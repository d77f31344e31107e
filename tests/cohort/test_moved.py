from __future__ import annotations

import pytest

from spinealign.cohort.moved import find_moved

FILES = ("img/fracture/1.png", "img/fracture/2.png", "img/normal/1.png", "flat/only.png")


@pytest.fixture
def root(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("C:/data/img/fracture/1.png", "img/fracture/1.png"),
        ("/old/Normal/1.PNG", "img/normal/1.png"),
        ("/elsewhere/only.png", "flat/only.png"),
        ("only.png", "flat/only.png"),
        ("/old/1.png", None),  # two files
        ("/old/normal/2.png", None),  # the folder exists without the file
        ("/old/lost.png", None),
    ],
)
def test_a_file_is_found_by_the_unique_end_of_its_path(root, old, new):
    assert find_moved([old], root) == ({old: str(root / new)} if new else {})


def test_two_paths_do_not_lead_to_one_file(root):
    assert find_moved(["/x/only.png", "/y/only.png"], root) == {}
    assert find_moved(["/x/flat/only.png", "/y/only.png"], root) == {"/x/flat/only.png": str(root / "flat/only.png")}
