"""``emotion predict`` as people use it: what is printed, what is written, the exit code."""

import csv
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from emotion_detection import cli
from emotion_detection.batch import dispatch as prediction
from emotion_detection.commands import predict_run as predict
from emotion_detection.commands.predict_run import FEW
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.images.opening import ImageError
from emotion_detection.inference import EmotionDetector
from emotion_detection.results import Face, Result

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of twelve crops, in the folder that the test runs in."""
    monkeypatch.chdir(tmp_path)
    Path("faces").mkdir()
    names = [os.path.join("faces", f"{number:02d}.png") for number in range(12)]
    for name, face in zip(names, make_synthetic_faces(12).faces, strict=True):
        Image.fromarray(face).save(name)
    return names


@pytest.fixture
def said(capsys: Capture) -> Callable[..., tuple[int, list[dict[str, Any]], str]]:
    """``said(*words)``: exit code, the JSON lines on standard output, all of standard error."""

    def run(*words: str) -> tuple[int, list[dict[str, Any]], str]:
        code = cli.main(["predict", *words])
        out, err = capsys.readouterr()
        return code, [json.loads(text) for text in out.splitlines()], err

    return run


def _rows(path: str | Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_piped_it_prints_a_line_of_json_a_image(faces: list[str], said: Any) -> None:
    code, records, err = said("faces", "--crops")
    assert (code, err) == (0, "")
    assert [record["source"] for record in records] == faces
    detector = EmotionDetector()
    crops = np.stack([np.asarray(Image.open(name)) for name in faces])
    for record, scores in zip(records, detector.classify(crops), strict=True):
        found = record["faces"][0]["scores"]
        assert list(found) == list(detector.labels)
        assert list(found.values()) == pytest.approx(scores, abs=1e-4)


def test_without_crops_faces_are_detected(faces: list[str], said: Any) -> None:
    Image.new("RGB", (300, 200), "navy").save("plain.jpg")
    code, (record,), _ = said("plain.jpg")
    assert code == 0
    assert (record["width"], record["height"], record["faces"]) == (300, 200, [])


def test_what_cannot_be_read_is_reported_in_its_place_and_at_the_end(
    faces: list[str], said: Any
) -> None:
    Path("bad.png").write_text("no image")
    code, records, err = said("bad.png", faces[0], "gone.png", faces[1], "--crops")
    assert code == 3
    assert [record["source"] for record in records] == ["bad.png", faces[0], "gone.png", faces[1]]
    assert [record.get("error", "")[:12] for record in records] == [
        *("not an image", "", "no such file", ""),
    ]
    assert err.splitlines()[0] == "emotion: 2 files could not be read:"
    assert err.splitlines()[1] == (
        "  bad.png: not an image in a format that is read "
        "(JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, PPM and TGA): a text file"
    )


def test_only_the_first_errors_are_listed_one_by_one(faces: list[str], said: Any) -> None:
    for number in range(30):
        Path(f"{number}.png").write_text("no image")
    code, _, err = said(*(f"{number}.png" for number in range(30)), "--crops")
    assert code == 3
    assert len(err.splitlines()) == 7
    assert err.splitlines()[-1] == "  ... and 25 more"


@pytest.mark.parametrize("count", [30, FEW, FEW + 30])
def test_of_many_missing_inputs_a_few_are_named(
    count: int, tmp_path: Path, capsys: Capture
) -> None:
    missing = [str(tmp_path / f"{number}.png") for number in range(count)]
    assert cli.main(["predict", *missing]) == 2
    err = capsys.readouterr().err
    assert err.count("no such file") == 5
    assert err.endswith(f"; ... and {count - 5} more\n")
    assert err.count("\n") == 1


def test_after_many_missing_inputs_one_that_is_there_is_read(faces: list[str], said: Any) -> None:
    code, records, err = said(*(f"no{number}.png" for number in range(FEW)), faces[0], "--crops")
    assert code == 3
    assert [record["source"] for record in records if "error" not in record] == [faces[0]]
    assert f"{FEW} files could not be read" in err


def test_help_names_no_types_of_python(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        cli.main(["predict", "--help"])
    told = capsys.readouterr().out
    assert not re.search(r"null|None|False|type:|\bstr\b|\bint\b|\bfloat\b", told)
    assert "(default: 640)" in told
    assert "--out FILE" in told


def test_images_after_many_empty_folders_are_read(
    faces: list[str], said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "FEW", 3)
    monkeypatch.setattr(predict, "run_pool", lambda pull, settings, **_: _backwards(pull, settings))
    for name in "abc":
        Path(name).mkdir()
    code, records, _ = said("a", "b", "c", faces[0], "--crops")
    assert code == 3
    assert ["error" in record for record in records] == [True, True, True, False]


@pytest.mark.parametrize("more", [[], ["--out", "a.jsonl"]])
def test_odd_files_are_errors_and_the_rest_goes_on(
    faces: list[str], said: Any, more: list[str]
) -> None:
    Image.new("L", (17_000, 4), 90).save("faces/00b.webp", "PNG")
    os.rename(faces[3], long := os.path.join("faces", f"02{'n' * 240}.png"))
    code, records, err = said("faces", "--crops", "--annotate", "drawn", "--json", *more)
    assert code == 3
    assert {record["source"] for record in records if "error" in record} == {"faces/00b.webp", long}
    assert len(records) == 13
    assert len(list(Path("drawn").iterdir())) == 11
    assert "emotion: 2 files could not be read:" in err


def test_a_model_without_permission_to_read_it_is_one_line(
    faces: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refused)
    Path("own.onnx").write_text("")
    assert cli.main(["predict", "faces", "--model", "own.onnx"]) == 2
    assert capsys.readouterr().err == "emotion: own.onnx: cannot be read: Permission denied\n"


def test_the_device_is_told_where_it_was_asked_for(faces: list[str], said: Any) -> None:
    code, records, err = said(faces[0], "--crops", "--device", "cpu")
    assert (code, err) == (0, "device: cpu\n")
    assert records == said(faces[0], "--crops")[1]


def test_a_missing_device_is_one_line_and_the_cpu(
    faces: list[str], said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    code, records, err = said(faces[0], "--crops", "--device", "cuda")
    assert (code, len(records), err.count("\n")) == (0, 1, 1)
    assert "emotion: device 'cuda' is not available: running on the CPU. onnxruntime has CPU" in err
    assert said("--device", "gpu", faces[0])[::2] == (
        2,
        "emotion: --device 'gpu': did you mean 'cuda' (NVIDIA), 'directml' (Windows) or 'coreml' "
        "(macOS)? It must be one of auto, cpu, cuda, coreml, directml, openvino, "
        "cuda:1 (the second GPU), or an onnxruntime provider\n",
    )


def test_labels_are_those_asked_for(faces: list[str], said: Any) -> None:
    _, (record,), _ = said(faces[0], "--crops", "--labels", "fer2013")
    assert list(record["faces"][0]["scores"])[-1] == "neutral"


def test_inputs_may_stand_between_options(faces: list[str], said: Any) -> None:
    _, records, _ = said(faces[0], "--min_face_size", "30", faces[1], "--crops", faces[2], "--json")
    assert [record["source"] for record in records] == faces[:3]


def test_patterns_are_expanded_where_the_shell_does_not(faces: list[str], said: Any) -> None:
    Path("[1].png").write_bytes(Path(faces[0]).read_bytes())
    code, records, _ = said("faces/0[1-3].png", "[1].png", "**/1*.png", "--crops")
    assert code == 0
    wanted = [*faces[1:4], "[1].png", *faces[10:]]
    assert [record["source"] for record in records] == wanted
    code, _, err = said(faces[0], "gone*.png", "--crops")
    assert code == 3
    assert "  gone*.png: no such file" in err


def test_names_that_look_like_options_or_yaml_are_names(faces: list[str], said: Any) -> None:
    names = ["-x.png", "--json", "1.0", "null", "[a].png", "{b: c}.png", "# d.png", " e .png"]
    for name in names:
        Path(name).write_bytes(Path(faces[0]).read_bytes())
    code, records, _ = said("--crops", "--", *names)
    assert code == 0
    assert [record["source"] for record in records] == names


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_table_is_written_and_nothing_else_left(
    faces: list[str], capsys: Capture, suffix: str
) -> None:
    before = set(Path().iterdir())
    assert cli.main(["predict", "faces", "--crops", "--out", f"new/table{suffix}"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("12 faces in 12 images: ")
    assert out.endswith(f"wrote new/table{suffix}\n")
    assert err == ""
    assert {path for path in Path().iterdir() if path not in before} == {Path("new")}
    assert [path.name for path in Path("new").iterdir()] == [f"table{suffix}"]
    if suffix == ".csv":
        assert [row["file"] for row in _rows("new/table.csv")] == faces


def test_a_table_holds_the_json(faces: list[str], said: Any) -> None:
    Path("faces/13.png").write_text("no image")
    code, records, err = said("faces", "--crops", "--json", "--out", "a.csv")
    assert code == 3
    assert "wrote a.csv" in err
    rows = _rows("a.csv")
    assert [row["file"] for row in rows] == [record["source"] for record in records]
    assert [row["error"] for row in rows] == [record.get("error", "") for record in records]
    assert said("faces", "--crops", "--out", "a.csv", "--json") == (3, records, err)


def test_parts_do_their_share_and_the_whole_joins_them(
    faces: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["predict", "faces", "--crops", "--out", "a.csv"]
    monkeypatch.setattr("emotion_detection.batch.job_folder.SMALLEST_SHARD", 2)
    assert cli.main([*words, "--shard", "2/3"]) == 0
    assert "shard 2/3: 4 images done, 0 of them before" in capsys.readouterr().out
    assert not Path("a.csv").exists()
    assert cli.main([*words, "--shard", "2/3"]) == 0
    assert "shard 2/3: 4 images done, 4 of them before" in capsys.readouterr().out
    read: list[str] = []
    real = prediction.run

    def noted(work: Any, engine: Any) -> Any:
        read.extend(e.source for s in work.shards() if not work.is_done(s) for e in s.entries)
        return real(work, engine)

    monkeypatch.setattr(prediction, "run", noted)
    assert cli.main(words) == 0
    assert read == [faces[i] for i in (0, 1, 4, 5, 6, 7, 10, 11)]
    assert [row["file"] for row in _rows("a.csv")] == faces
    assert not Path("a.csv.parts").exists()


def test_other_options_than_those_of_unfinished_work_are_refused(
    faces: list[str], capsys: Capture
) -> None:
    words = ["predict", "faces", "--crops", "--out", "a.csv"]
    assert cli.main([*words, "--shard", "1/2"]) == 0
    capsys.readouterr()
    assert cli.main([*words, "--labels", "fer2013"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(
        "emotion: a.csv.parts: holds unfinished work with labels ferplus (now fer"
    )
    assert err.count("\n") == 1
    assert cli.main(words) == 0


def test_a_folder_of_other_things_is_refused_and_kept(faces: list[str], capsys: Capture) -> None:
    Path("a.csv.parts").mkdir()
    Path("a.csv.parts/thesis.txt").write_text("all of it")
    assert cli.main(["predict", "faces", "--crops", "--out", "a.csv"]) == 2
    assert "a.csv.parts: is needed for the work, but holds other" in capsys.readouterr().err
    assert [path.name for path in Path("a.csv.parts").iterdir()] == ["thesis.txt"]


def test_work_lies_beside_the_table_that_a_link_leads_to(faces: list[str]) -> None:
    Path("disk").mkdir()
    Path("a.csv").symlink_to("disk/table.csv")
    words = ["predict", "faces", "--crops", "--out", "a.csv"]
    assert cli.main([*words, "--shard", "1/2"]) == 0
    assert [path.name for path in Path("disk").iterdir()] == ["table.csv.parts"]
    assert cli.main(words) == 0
    assert [path.name for path in Path("disk").iterdir()] == ["table.csv"]
    assert [row["file"] for row in _rows("a.csv")] == faces
    assert Path("a.csv").is_symlink()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no flock")
@pytest.mark.parametrize("more", [[], ["--labels", "fer2013"], ["--shard", "1/2"]])
def test_a_second_run_for_the_same_table_does_no_harm(
    faces: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    words = ["predict", "faces", "--crops", "--out", "a.csv"]
    codes: list[int] = []
    real = prediction.run

    def meanwhile(*given: Any) -> Any:
        monkeypatch.setattr(prediction, "run", real)
        codes.append(cli.main([*words, *more]))
        yield from real(*given)

    monkeypatch.setattr(prediction, "run", meanwhile)
    assert cli.main(words) == 0
    assert codes == [2]
    err = capsys.readouterr().err
    assert err == "emotion: a.csv.parts: another run is at it: wait for its end, or stop it\n"
    assert [row["file"] for row in _rows("a.csv")] == faces
    assert not Path("a.csv.parts").exists()


def test_annotated_images_lie_as_the_images_do(faces: list[str], said: Any) -> None:
    Path("more").mkdir()
    os.replace(faces[0], "more/01.png")
    code, _, _ = said("faces", "more", "--crops", "--annotate", "drawn")
    assert code == 0
    found = sorted(str(path.relative_to("drawn")) for path in Path("drawn").rglob("*.png"))
    assert found == sorted([*faces[1:], os.path.join("more", "01.png")])


def test_many_files_without_a_table_come_in_order(
    faces: list[str], said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "FEW", 5)
    monkeypatch.setattr("emotion_detection.batch.job_folder.SMALLEST_SHARD", 2)
    monkeypatch.setattr(predict, "run_pool", lambda pull, settings, **_: _backwards(pull, settings))
    code, records, _ = said("faces", "--crops")
    assert code == 0
    assert [record["source"] for record in records] == faces


@pytest.fixture
def clips(faces: list[str], monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """clip.mp4 of two frames and cut.mov that breaks off after one; what is asked of a video."""
    asked: list[tuple[Any, ...]] = []
    calm = Face((1.0, 2.0, 3.0, 4.0), (), 0.9, {"anger": 0.25, "neutral": 0.75}, 0.1, (), 1)

    def run_video(
        path: Path, detector: Any, options: Any, annotate: Any, emit: Any, **more: Any
    ) -> None:
        name = more["name"]
        asked.append((options, annotate, name))
        emit(Result(64, 48, (calm,), source=str(path), frame=0, time=0.0))
        if str(path).endswith(".mov"):
            raise ImageError(f"{path}: breaks off")
        emit(Result(64, 48, (calm,), source=str(path), frame=2, time=0.08))

    monkeypatch.setattr("emotion_detection.commands.predict_video.run_video", run_video)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: real("json") if name == "av" else real(name),
    )
    for name in ("clip.mp4", "cut.mov"):
        Path(name).write_bytes(b"a video")
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 48)).save(name)
    return asked


VIDEO_INPUTS = ("a.png", "clip.mp4", "b.png", "cut.mov")
VIDEO_ORDER = ["a.png", "clip.mp4", "clip.mp4", "b.png", "cut.mov", "cut.mov"]


def test_videos_come_in_their_place(clips: list[tuple[Any, ...]], said: Any) -> None:
    code, records, err = said(*VIDEO_INPUTS, "--frame_stride", "2", "--smoothing", "0")
    assert code == 3
    assert [record["source"] for record in records] == VIDEO_ORDER
    assert [record.get("frame") for record in records] == [None, 0, 2, None, 0, None]
    assert records[-1] == {"source": "cut.mov", "error": "breaks off"}
    assert "  cut.mov: breaks off" in err
    assert [(o.frame_stride, o.tracking.smoothing, *more) for o, *more in clips] == [
        (2, 0.0, None, None)
    ] * 2


def test_old_names_of_options_are_understood_and_reported(
    clips: list[tuple[Any, ...]], said: Any
) -> None:
    code, _, err = said("clip.mp4", "--every", "3", "--smooth=0.25")
    assert code == 0
    assert err.splitlines()[:2] == [
        "emotion: --every is now called --frame_stride",
        "emotion: --smooth is now called --smoothing",
    ]
    ((options, _, _),) = clips
    assert (options.frame_stride, options.tracking.smoothing) == (3, 0.25)


@pytest.mark.parametrize("more", [[], ["--out", "a.csv"]])
def test_persons_of_videos_are_told_and_written(
    clips: list[tuple[Any, ...]], capsys: Capture, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    words = ["clip.mp4", "a.png", "--persons", "new/persons.csv", *more]
    assert cli.main(["predict", *words]) == 0
    out = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert "clip.mp4: 1 person in 2 frames, 0.2 s" in out
    assert re.search(r"\n +1 +0\.2 s .*neutral 100% +0\n", out)
    assert "wrote new/persons.csv" in out
    (row,) = _rows("new/persons.csv")
    assert (row["file"], row["track"], row["emotion"], row["share_neutral"]) == (
        *("clip.mp4", "1", "neutral", "1.0"),
    )


def test_piped_the_persons_of_videos_go_to_standard_error(
    clips: list[tuple[Any, ...]], said: Any
) -> None:
    code, records, err = said("clip.mp4", "--annotate", "drawn")
    assert (code, [record["frame"] for record in records]) == (0, [0, 2])
    assert "clip.mp4: 1 person in 2 frames, 0.2 s" in err
    assert re.search(r"\n +1 +0\.2 s .*neutral 100% +0\n", err)
    _, _, err = said("clip.mp4", "--json")
    assert "person" not in err


def test_a_live_source_comes_in_its_place(clips: list[tuple[Any, ...]], said: Any) -> None:
    address = "rtsp://127.0.0.1:9/live"
    code, records, _ = said("a.png", address, "0")
    assert code == 0
    assert [record["source"] for record in records] == ["a.png", address, address, "0", "0"]


@pytest.mark.parametrize("few", [1, 64])
def test_videos_stand_in_their_place_in_a_table(
    clips: list[tuple[Any, ...]], said: Any, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(predict, "FEW", few)
    monkeypatch.setattr(predict, "run_pool", lambda pull, settings, **_: _backwards(pull, settings))
    code, records, _ = said(*VIDEO_INPUTS, "--out", "a.csv", "--json", "--annotate", "drawn")
    assert code == 3
    assert [record["source"] for record in records] == VIDEO_ORDER
    rows = _rows("a.csv")
    assert [row["file"] for row in rows] == VIDEO_ORDER
    assert [row["frame"] for row in rows] == ["", "0", "2", "", "0", ""]
    names = [(annotate, name) for _, annotate, name in clips]
    assert names == [(Path("drawn").absolute(), "clip"), (Path("drawn").absolute(), "cut.mov")]


def test_many_files_with_videos_come_in_order(
    clips: list[tuple[Any, ...]], said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "FEW", 1)
    monkeypatch.setattr(predict, "run_pool", lambda pull, settings, **_: _backwards(pull, settings))
    code, records, _ = said(*VIDEO_INPUTS)
    assert code == 3
    assert [record["source"] for record in records] == VIDEO_ORDER


def test_a_video_among_many_files_is_shown_when_it_is_its_turn(
    clips: list[tuple[Any, ...]], said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def engine(pull: Any, settings: Any, **more: Any) -> Any:
        def noted() -> Any:
            if (task := pull()) is not None:
                asked.append((task.entries[0].source, len(clips)))
            return task

        return predict.run_here(noted, settings)

    monkeypatch.setattr(predict, "FEW", 1)
    monkeypatch.setattr(predict, "run_pool", engine)
    code, records, _ = said(*VIDEO_INPUTS)
    assert code == 3
    assert [record["source"] for record in records] == VIDEO_ORDER
    assert asked == [("a.png", 0), ("b.png", 1)]


@pytest.mark.parametrize("more", [[], ["--out", "a.csv"]])
def test_where_no_annotated_video_can_be_is_one_line(
    clips: list[tuple[Any, ...]], capsys: Capture, more: list[str]
) -> None:
    for name in ("drawn", "sub"):
        Path(name).mkdir()
    Path("drawn/sub").write_text("")
    os.replace("clip.mp4", "sub/clip.mp4")
    words = ["predict", "sub/clip.mp4", "cut.mov", "--annotate", "drawn", *more]
    assert cli.main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("emotion: --annotate ")
    assert err.endswith("drawn/sub/clip: cannot be written: File exists\n")
    assert err.count("\n") == 1
    assert clips == []


def test_a_video_with_too_long_a_name_to_annotate_is_an_error(
    clips: list[tuple[Any, ...]], said: Any
) -> None:
    os.replace("clip.mp4", long := f"{'n' * 240}.mp4")
    code, records, _ = said(long, "a.png", "--annotate", "drawn", "--out", "a.jsonl", "--json")
    assert code == 3
    assert ["error" in record for record in records] == [True, False]
    assert "too long" in records[0]["error"]


@pytest.mark.parametrize("more", [[], ["--out", "a.jsonl", "--json"]])
def test_what_nobody_thought_of_in_a_video_is_its_error(
    clips: list[tuple[Any, ...]], said: Any, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    def fails(*given: Any, **named: Any) -> None:
        raise OSError("odd")

    monkeypatch.setattr("emotion_detection.commands.predict_video.run_video", fails)
    code, records, _ = said("clip.mp4", "a.png", *more)
    assert code == 3
    assert [record.get("error") for record in records] == ["unforeseen OSError: odd", None]


def _backwards(pull: Any, settings: Any) -> Any:
    tasks = []
    while (task := pull()) is not None:
        tasks.append(task)
    return predict.run_here(lambda: tasks.pop() if tasks else None, settings)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "predict: nothing to read"),
        (["--json"], "predict: nothing to read"),
        (["empty"], "empty: no images in it"),
        (["a.png", "--model", "missing"], "missing: no such run folder or ONNX file"),
        (["a.png", "--model", "http://x/y.onnx"], "http://x/y.onnx: models are read from disk"),
        (["a.png", "--labels", "mine"], "labels 'mine': "),
        (["a.png", "--out", "table.xlsx"], "table.xlsx: the name of a table must end in .csv"),
        (["a.png", "--out", "file/y.csv"], "file/y.csv.parts: cannot be written"),
        (["a.png", "--engine", "spark"], "--engine spark: must be local or ray"),
        (
            ["a.png", "--address", "x:1"],
            "--address: is the address of a Ray cluster; add --engine ray",
        ),
        (["a.png", "--workers", "0"], "--workers 0: must be 1 or more"),
        (["a.png", "--workers", "two"], "--workers two: must be a whole number"),
        (["a.png", "--frame_stride", "0"], "--frame_stride 0: must be 1 or more"),
        (["a.png", "--every_seconds", "0"], "--every_seconds 0.0: must be more than 0"),
        (["a.png", "--smoothing", "-1"], "--smoothing -1.0: must be 0 or more"),
        (["a.png", "--smoothing", "nan"], "--smoothing nan: must be a number"),
        (["a.png", "--min_track_time", "-1"], "--min_track_time -1.0: must be 0 or more"),
        (["a.png", "--track_confidence", "2"], "--track_confidence 2.0: must be from 0 to 1"),
        (["a.png", "--persons", "p.csv"], "--persons: is a table of the persons in videos"),
        (["clip.mp4", "--persons", "p.txt"], "p.txt: the name of a table must end in .csv"),
        (["clip.mp4", "--persons", "a.csv", "--out", "a.csv"], "--persons a.csv: is one of the"),
        (["a.png", "--shard", "1/2"], "--shard: needs --out"),
        (["a.png", "--annotate", "drawn.jpg"], "--annotate drawn.jpg: names a folder"),
        (["a.png", "--annotate", "drawn", "--shard", "1/2"], "--shard: needs --out"),
        (["a.png", "--out", "a.csv", "--shard", "3/2"], "--shard 3/2: must be I/N"),
        (["a.png", "--out", "a.csv", "--shard", "0/2"], "--shard 0/2: must be I/N"),
        (["a.png", "--out", "a.csv", "--shard", "2"], "--shard 2: must be I/N"),
        (["typo.jpg"], "typo.jpg: no such file"),
        (["typo.jpg", "empty", "--out", "a.csv"], "typo.jpg: no such file or folder; empty: no"),
        (["a.png", "--out", "like.csv", "like.csv"], "--out like.csv: is one of the inputs"),
        (["empty", "--annotate", "empty/drawn"], "--annotate empty/drawn: lies in the input empty"),
        (["a.png", "--annotate", "."], "--annotate .: the input a.png lies in it"),
        (["a.png", "--annotate", ""], "--annotate '': must name a folder"),
        (["a.png", "--annotate", "file"], "--annotate file: "),
        (["a.png", "--anotate", "x"], "--anotate: no such option; did you mean --annotate?"),
        (["clip.mp4", "--crops"], "--crops: takes images of single faces, no videos"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    words: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("file").write_text("")
    Path("like.csv").write_text("")
    Image.new("L", (48, 48), 90).save("a.png")
    code = cli.main(["predict", *words])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith(f"emotion: {line}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("missing", "words", "extra"),
    [
        ("pyarrow", ["a.png", "--out", "a.parquet"], "batch"),
        ("av", ["clip.mp4"], "video"),
    ],
)
def test_a_missing_extra_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    missing: str,
    words: list[str],
    extra: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else real(name)
    )
    assert cli.main(["predict", *words]) == 2
    assert f"pip install '.[{extra}]'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no process groups to kill")
def test_killed_twice_it_goes_on_and_each_file_has_one_row(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    for number, face in enumerate(make_synthetic_faces(400).faces):
        Image.fromarray(face).save(tmp_path / "faces" / f"{number:03d}.png")
    words = ["faces", "--crops", "--out", "a.csv", "--workers", "2"]
    command = [sys.executable, "-m", "emotion_detection", "predict", *words]
    kept: list[set[str]] = []
    for more in (1, 5):
        process = subprocess.Popen(
            command, cwd=tmp_path, start_new_session=True, stderr=subprocess.DEVNULL
        )
        wanted = more + (len(kept[-1]) if kept else 0)
        while len(shards := _shards(tmp_path)) < wanted and process.poll() is None:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        kept.append(_shards(tmp_path))
        assert shards <= kept[-1]
        assert not (tmp_path / "a.csv").exists()
    assert kept[0] < kept[1]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "going on: " in done.stderr
    names = [f"faces/{number:03d}.png" for number in range(400)]
    assert [row["file"] for row in _rows(tmp_path / "a.csv")] == names
    assert {path.name for path in tmp_path.iterdir()} == {"faces", "a.csv"}


def _shards(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("a.csv.parts/shards-*/*.jsonl")}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGPIPE")
def test_who_stops_reading_sees_no_traceback(faces: list[str]) -> None:
    command = f"{sys.executable} -m emotion_detection predict faces --crops | true"
    done = subprocess.run(
        ["bash", "-c", command + "; exit ${PIPESTATUS[0]}"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (141, "")


def test_min_score_flags_faces_as_unsure(
    faces: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["predict", "--crops", "--json", "--min_score", "1", *faces]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["faces"][0]["flags"] for record in records] == [["unsure"]] * len(faces)
    assert cli.main(["predict", "--crops", "--min_score", "2", *faces]) == 2
    assert "between 0 and 1" in capsys.readouterr().err


def test_a_table_grows_while_images_are_read(
    faces: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emotion_detection.batch.job_folder.SMALLEST_SHARD", 2)
    real, shown = prediction.run, []

    def noted(work: Any, engine: Any) -> Any:
        for done in real(work, engine):
            yield done
            shown.append(len(show))

    show: list[Any] = []
    add = predict.Output.add
    monkeypatch.setattr(
        predict.Output, "add", lambda self, *record: (show.append(record), add(self, *record))
    )
    monkeypatch.setattr(prediction, "run", noted)
    assert cli.main(["predict", "--crops", "--out", "a.csv", *faces]) == 0
    assert len(show) == len(faces)
    # what was read before the last shard stood in the table before it was read
    assert shown[-2] == len(faces) - 2
    assert [row["file"] for row in _rows("a.csv")] == faces
