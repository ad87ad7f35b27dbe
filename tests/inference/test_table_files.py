"""Tables against those who read them: csv, json and pyarrow; whole or not at all."""

import csv
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from emotion_detection.errors import InputError
from emotion_detection.inference import table_files
from emotion_detection.inference.table_files import make_error_record, open_table
from emotion_detection.results import Face, Result, list_columns, list_rows

LABELS = ("anger", "neutral")
POINTS = ((1.5, 2.25), (3.0, 4.0), (5.0, 6.0), (7.0, 8.0), (9.0, 10.0))
FACES = (
    Face((-3.456, 2.0, 30.0, 40.0), POINTS, 0.91234, {"anger": 0.75, "neutral": 0.25}, 0.5),
    Face((50.0, 2.0, 3.0, 4.0), (), 1.0, {"anger": 0.1, "neutral": 0.9}, None, ("cut",)),
)
TRACKED = Face((1.0, 2.0, 3.0, 4.0), (), 0.8, {"anger": 0.5, "neutral": 0.5}, 0.25, (), 7)
RESULTS = (
    Result(640, 480, FACES, 2, "two.jpg", ("animated: only the first frame",)),
    Result(64, 48, source="none.jpg"),
    Result(320, 240, (TRACKED,), 0, "clip.mp4", (), 30, 1.25),
)
RECORDS = [*(result.as_dict() for result in RESULTS), make_error_record("bad.jpg", "truncated")]
SUFFIXES = (".csv", ".jsonl", ".parquet")


def _write(path: Path, records: list[dict[str, Any]] = RECORDS) -> Path:
    with open_table(path, LABELS) as growing:
        for record in records:
            growing.add(record)
    return path


def _csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_emotion_is_the_records_own_where_rounded_scores_are_equal(
    tmp_path: Path, suffix: str
) -> None:
    face = Face((0.0, 0.0, 9.0, 9.0), (), 1.0, {"anger": 0.49996, "neutral": 0.50004})
    path = _write(tmp_path / f"a{suffix}", [Result(9, 9, (face,), source="a.jpg").as_dict()])
    if suffix == ".csv":
        found = _csv_rows(path)[0]["emotion"]
    elif suffix == ".jsonl":
        found = json.loads(path.read_text())["faces"][0]["emotion"]
    else:
        (found,) = parquet.read_table(path)["emotion"].to_pylist()
    assert found == "neutral"


def test_rounded_scores_of_many_labels_need_not_sum_to_one() -> None:
    scores = {f"class{number}": 1 / 60 for number in range(60)}
    result = Result(9, 9, (Face((0.0, 0.0, 9.0, 9.0), (), 1.0, scores),), source="a.jpg")
    (row,) = list_rows(result.as_dict())
    assert sum(row[f"score_{name}"] for name in scores) == pytest.approx(1.002)


def test_csv_has_a_row_a_face_and_one_for_each_file_without(tmp_path: Path) -> None:
    found = _csv_rows(_write(tmp_path / "faces.csv"))
    assert list(found[0]) == list_columns(LABELS)
    assert [row["file"] for row in found] == ["two.jpg"] * 2 + ["none.jpg", "clip.mp4", "bad.jpg"]
    assert [row["faces"] for row in found] == ["2", "2", "0", "1", ""]
    assert [row["emotion"] for row in found] == ["anger", "neutral", "", "anger", ""]
    assert [row["error"] for row in found] == ["", "", "", "", "truncated"]
    assert (found[0]["x"], found[0]["left_eye_y"], found[1]["flags"]) == ("-3.46", "2.25", "cut")
    assert (found[3]["frame"], found[3]["time"], found[3]["track"]) == ("30", "1.25", "7")


def test_json_lines_are_the_records(tmp_path: Path) -> None:
    lines = _write(tmp_path / "faces.jsonl").read_text().splitlines()
    assert [json.loads(text) for text in lines] == RECORDS


def test_parquet_is_typed_and_holds_the_same_rows(tmp_path: Path) -> None:
    found = parquet.read_table(_write(tmp_path / "faces.parquet"))
    assert found.column_names == list_columns(LABELS)
    kinds = {name: found.schema.field(name).type for name in found.column_names}
    assert {kinds[name] for name in ("file", "emotion", "flags", "error")} == {pyarrow.string()}
    assert {kinds[name] for name in ("frame", "faces", "face", "track")} == {pyarrow.int64()}
    assert {kinds[name] for name in ("x", "score_anger", "nose_x", "time")} == {pyarrow.float64()}
    wanted = [row for record in RECORDS for row in list_rows(record)]
    assert [{k: v for k, v in row.items() if v is not None} for row in found.to_pylist()] == [
        {k: v for k, v in row.items() if v is not None} for row in wanted
    ]


def test_parquet_is_typed_also_when_no_face_is_in_it(tmp_path: Path) -> None:
    found = parquet.read_table(_write(tmp_path / "none.parquet", RECORDS[1:2]))
    assert found.num_rows == 1
    assert found.schema.field("score_anger").type == pyarrow.float64()


def test_parquet_keeps_few_rows_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "_ROWS", 10)
    path = _write(tmp_path / "many.parquet", RECORDS * 8)
    file = parquet.ParquetFile(path)
    assert file.metadata.num_rows == 40
    assert file.metadata.num_row_groups == 4


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_of_nothing_is_whole(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path / f"empty{suffix}", [])
    if suffix == ".parquet":
        assert parquet.read_table(path).num_rows == 0
    else:
        assert path.read_text() == (
            ",".join(list_columns(LABELS)) + "\n" if suffix == ".csv" else ""
        )


@pytest.mark.parametrize("first", [*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20"])
def test_no_cell_of_a_csv_is_a_formula(tmp_path: Path, first: str) -> None:
    name = f'{first}HYPERLINK("http://x","y").jpg'
    (row,) = _csv_rows(_write(tmp_path / "a.csv", [make_error_record(name, f"{first}1+1")]))
    assert (row["file"], row["error"]) == (f"'{name}", f"'{first}1+1")


def test_names_that_are_harmless_and_numbers_stay_as_they_are(tmp_path: Path) -> None:
    record = {**RECORDS[0], "source": "a=b-c, 'd' \"e\"\n.jpg"}
    first, _ = _csv_rows(_write(tmp_path / "a.csv", [record]))
    assert first["file"] == record["source"]
    assert float(first["x"]) == -3.46


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["ünï 字 😀.jpg", "\udcff.jpg", "a\x00b.jpg"])
def test_names_that_are_no_plain_text_can_be_written(
    tmp_path: Path, suffix: str, name: str
) -> None:
    path = _write(tmp_path / f"a{suffix}", [make_error_record(name, "x")])
    readable = name.replace("\udcff", "\\udcff")
    if suffix == ".csv":
        assert _csv_rows(path)[0]["file"] == readable
    elif suffix == ".jsonl":
        assert json.loads(path.read_text())["source"] == name
    else:
        assert parquet.read_table(path)["file"].to_pylist() == [readable]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_that_fails_leaves_what_was_there(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("before")

    def fails() -> None:
        with open_table(path, LABELS) as growing:
            growing.add(RECORDS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("before")
    (tmp_path / "link.csv").symlink_to("real.csv")
    _write(tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert len(_csv_rows(tmp_path / "real.csv")) == 5


def test_missing_folders_are_made(tmp_path: Path) -> None:
    assert len(_csv_rows(_write(tmp_path / "new" / "folder" / "a.csv"))) == 5


def _a_folder(path: Path) -> Path:
    (path / "folder.csv").mkdir()
    return path / "folder.csv"


def _below_a_file(path: Path) -> Path:
    (path / "file").write_text("")
    return path / "file" / "a.csv"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (lambda path: path / "a.txt", r"must end in \.csv, \.jsonl, \.parquet"),
        (lambda path: path / "csv", r"must end in \.csv, \.jsonl, \.parquet"),
        (_a_folder, "is a folder"),
        (_below_a_file, "cannot be written: "),
    ],
)
def test_where_no_table_can_be_is_reported_in_one_line(
    tmp_path: Path, place: Callable[[Path], Path], said: str
) -> None:
    with pytest.raises(InputError, match=said) as refusal:
        _write(place(tmp_path))
    assert "\n" not in str(refusal.value)


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install '\.\[batch\]'"):
        _write(tmp_path / "a.parquet")
    assert len(_csv_rows(_write(tmp_path / "a.csv"))) == 5
