from __future__ import annotations

import pytest

from spinealign.cohort.manifest import find_column, read_manifest
from spinealign.cohort.options import CollectionOptions
from spinealign.errors import CohortError

PLAIN = "path,label,patient\nimg/a.png,fracture,Jürgen\nimg/b.png,normal,P2\n"


def read(text, **options):
    content = text if isinstance(text, bytes) else text.encode()
    return read_manifest(content, CollectionOptions(**options), file="m.csv")


@pytest.mark.parametrize(
    "content",
    {
        "comma": PLAIN.encode(),
        "byte order mark": PLAIN.encode("utf-8-sig"),
        "semicolon": PLAIN.replace(",", ";").encode(),
        "tab": PLAIN.replace(",", "\t").encode(),
        "UTF-16": PLAIN.replace(",", "\t").encode("utf-16"),
        "UTF-16 without mark": PLAIN.encode("utf-16-le"),
        "Windows": PLAIN.replace("\n", "\r\n").replace("/", "\\").encode("cp1252"),
        "Excel": ("sep=;\n" + PLAIN.replace(",", ";")).encode(),
        "names of Excel": PLAIN.replace("path,label,patient", "File Name,Label,Patient ID").encode(),
        "R write.csv": b'"","path","label","patient"\n"1","img/a.png","fracture","J\xc3\xbcrgen"\n'
        b'"2","img/b.png","normal","P2"\n',
        "R write.table": b'"path" "label" "patient"\n"1" "img/a.png" "fracture" "J\xc3\xbcrgen"\n'
        b'"2" "img/b.png" "normal" "P2"\n',
    }.items(),
    ids=lambda item: item[0],
)
def test_tables_of_common_programs_are_read_alike(content):
    manifest = read(content[1])
    assert [(row.path, row.patient) for row in manifest.rows] == [("img/a.png", "Jürgen"), ("img/b.png", "P2")]
    assert [list(row.values.values()) for row in manifest.rows] == [["fracture"], ["normal"]]
    assert not manifest.passed.total()


@pytest.mark.parametrize(
    "name", ["patient", "patient_id", "PatientID", "Patient ID", "subject", "case", "study", "StudyInstanceUID"]
)
def test_usual_columns_name_the_patient(name):
    rows = read(f"path,label,{name}\na.png,x,1\nb.png,x,2\nc.png,x,3\n").rows
    assert [row.patient for row in rows] == ["1", "2", "3"]


def test_a_column_case_that_is_the_finding_is_not_the_patient():
    manifest = read("path,case\na.png,case\nb.png,control\nc.png,case\n")
    assert {row.patient for row in manifest.rows} == {None}
    assert manifest.columns == ("case",)


def test_missing_values_are_none_and_integers_stay_integers():
    text = "path,grade,score,patient\na.png,1.0,0.5,NA\nb.png,nan,1.0,n/a\nc.png,3.0,N/A,\n"
    values = [row.values for row in read(text).rows]
    assert [item["grade"] for item in values] == ["1", None, "3"]
    assert [item["score"] for item in values] == ["0.5", "1.0", None]
    assert {row.patient for row in read(text).rows} == {None}


def test_integers_are_read_alike_with_and_without_decimals():
    for text in ("path,grade\na.png,1.0\nb.png,2\n", "path;grade\na.png;1,0\nb.png;2\n"):
        assert [row.values["grade"] for row in read(text).rows] == ["1", "2"]


def test_zeros_before_a_patient_number_do_not_count():
    rows = read("path,label,patient\na.png,x,0012\nb.png,x,12\nc.png,x,000\nd.png,x,P01\n").rows
    assert [row.patient for row in rows] == ["12", "12", "0", "P01"]


@pytest.mark.parametrize(("text", "words"), [("", "no content"), ("path,label\n\n", "a header and no rows")])
def test_an_empty_table_is_refused(text, words):
    with pytest.raises(CohortError, match=words):
        read(text)


def test_unusable_rows_are_counted_with_an_example():
    manifest = read("path,label,split\na.png,x,train\n,x,train\nb.png,x,holdout\nc.png,x,val,extra\nd.png,x,other\n")
    assert [row.path for row in manifest.rows] == ["a.png"]
    assert str(manifest.passed) == (
        "2 rows with an unknown split (line 4: holdout), 1 row with too many values (line 5), "
        "1 row without a path (line 3)"
    )


def test_folds_become_splits():
    text = "path,label,fold\n" + "".join(f"{n}.png,x,{n % 4}\n" for n in range(8))
    assert [row.split for row in read(text).rows[:4]] == ["test", "val", "train", "train"]
    assert [row.split for row in read(text, test_fold="3").rows[:4]] == ["val", "train", "train", "test"]
    assert "test is 0; val is 1; train is 2, 3" in read(text).notes[0]
    two = read("path,label,fold\na.png,x,1\nb.png,x,0\n")
    assert [row.split for row in two.rows] == ["train", "test"]
    with pytest.raises(CohortError, match="no fold '9'"):
        read(text, test_fold="9")


def test_a_column_of_other_words_is_not_the_split():
    manifest = read("path,label,phase,set\na.png,x,arterial,train\nb.png,x,venous,Testing\n")
    assert [row.split for row in manifest.rows] == ["train", "test"]
    assert manifest.columns == ("label", "phase")


def test_columns_are_chosen_by_name_in_any_case():
    rows = read("where,what\na.png,x\n", path_column="Where").rows
    assert rows[0].path == "a.png"
    assert find_column(["Finding Label"], (), chosen="finding_label") == "Finding Label"
    with pytest.raises(CohortError, match="Did you mean 'where'"):
        read("where,what\na.png,x\n", path_column="wher")


def test_parquet_is_read_as_text(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"path": ["a.png", "b.png"], "grade": [1.0, None], "fold": [0, 1], "sure": [True, False]})
    table.to_parquet(tmp_path / "m.parquet")
    manifest = read((tmp_path / "m.parquet").read_bytes())
    assert [dict(row.values) for row in manifest.rows] == [
        {"grade": "1", "sure": "True"},
        {"grade": None, "sure": "False"},
    ]
    assert [row.split for row in manifest.rows] == ["test", "train"]
