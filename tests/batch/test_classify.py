"""Records of images: crops against the classifier, photographs by a stand-in detector."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection.batch.classify import (
    Settings,
    identify_model,
    open_detector,
    place_below_annotate,
    read,
)
from emotion_detection.batch.input_files import Entry
from emotion_detection.errors import InputError
from emotion_detection.images.opening import ImageError
from emotion_detection.inference import EmotionDetector
from emotion_detection.results import Face, Result

Make = Callable[..., Settings]
FACE = Face((1.0, 2.0, 30.0, 40.0), (), 0.9, {"anger": 0.75, "neutral": 0.25}, 0.5)


class StandIn:
    """Finds the same face in every image but those called 'bad'."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def detect_many(self, images: Sequence[Path]) -> list[Result | ImageError]:
        self.batches.append(len(images))
        return [
            ImageError(f"{path}: truncated")
            if "bad" in path.name
            else Result(100, 80, (FACE,), source=str(path))
            for path in images
        ]


def _read(entries: Sequence[Entry], settings: Settings, detector: Any) -> list[dict[str, Any]]:
    return list(read(entries, settings, detector))


def test_crops_are_scored_as_the_classifier_scores_them(settings: Make, crops: list[str]) -> None:
    options = settings()
    detector = open_detector(options)
    records = _read([Entry(name) for name in crops], options, detector)
    faces = np.stack([np.asarray(Image.open(name)) for name in crops])
    found = np.array([list(record["faces"][0]["scores"].values()) for record in records])
    np.testing.assert_allclose(found, EmotionDetector().classify(faces), atol=6e-5)
    strength = [record["faces"][0]["intensity"] for record in records]
    np.testing.assert_allclose(strength, EmotionDetector().intensity(faces), atol=6e-5)
    assert [record["source"] for record in records] == crops


def test_a_crop_is_its_own_box(settings: Make, tmp_path: Path) -> None:
    Image.new("RGB", (60, 90), (200, 150, 90)).save(tmp_path / "wide.png")
    options = settings(folder=str(tmp_path))
    (record,) = _read([Entry("wide.png")], options, open_detector(options))
    (face,) = record["faces"]
    assert (record["source"], record["width"], record["height"]) == ("wide.png", 60, 90)
    assert (face["box"], face["landmarks"], face["confidence"]) == ([0, 0, 60, 90], {}, 1)


def test_an_unreadable_crop_is_an_error_in_its_place(
    settings: Make, crops: list[str], tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    names = [crops[0], str(tmp_path / "bad.png"), crops[1], str(tmp_path / "gone.png"), "later"]
    files = [*map(Entry, names[:-1]), Entry("later", "no such file or folder")]
    options = settings()
    records = _read(files, options, open_detector(options))
    assert [record["source"] for record in records] == names
    assert [record.get("error") for record in records] == [
        None,
        "not an image in a format that is read (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, PPM and "
        "TGA): a text file",
        None,
        "no such file",
        "no such file or folder",
    ]


def test_only_unreadable_crops_are_errors_all_the_same(settings: Make, tmp_path: Path) -> None:
    options = settings()
    records = _read([Entry(str(tmp_path / "gone.png"))], options, open_detector(options))
    assert records == [{"source": str(tmp_path / "gone.png"), "error": "no such file"}]


def test_images_are_read_in_parallel_and_keep_their_names(settings: Make) -> None:
    files = [Entry(f"{number}.jpg") for number in range(150)]
    files[70] = Entry("bad.jpg")
    files[71] = Entry("gone.jpg", "no such file or folder")
    detector = StandIn()
    records = _read(files, settings(crops=False, folder="/photos"), detector)
    assert [record["source"] for record in records] == [entry.source for entry in files]
    assert records[70] == {"source": "bad.jpg", "error": "truncated"}
    assert records[71] == {"source": "gone.jpg", "error": "no such file or folder"}
    assert records[0] == Result(100, 80, (FACE,), source="0.jpg").as_dict()
    # 150 in eights, of which one was known to be missing
    assert detector.batches == [8] * 8 + [7] + [8] * 9 + [6]
    assert json.loads(json.dumps(records)) == records


def test_another_model_than_was_meant_is_refused(settings: Make) -> None:
    with pytest.raises(InputError, match="is another model here"):
        open_detector(settings(sha256="0" * 64))


def test_no_two_files_have_the_same_place_below_annotate(settings: Make, tmp_path: Path) -> None:
    options = settings(folder=str(tmp_path), annotate="out", root=str(tmp_path / "photos"))
    inside = ("a.jpg", "b/a.jpg", "c/a.jpg", "a.png", "a.JPEG", "a", "..a.webp")
    sources = [*(f"photos/{name}" for name in inside), "elsewhere/a.jpg", "other/a.jpg"]
    places = [place_below_annotate(source, options) for source in sources]
    assert places[:6] == [tmp_path / "out" / name for name in inside[:6]]
    assert len(set(places)) == len(sources)
    assert all(place.is_relative_to(tmp_path / "out") for place in places)


def test_annotated_images_are_written_as_images(
    settings: Make, crops: list[str], tmp_path: Path
) -> None:
    Image.open(crops[0]).save(tmp_path / "plain", "PNG")
    options = settings(folder=str(tmp_path), annotate="out", root=str(tmp_path))
    records = _read([Entry("plain"), Entry("gone.png")], options, open_detector(options))
    assert ["error" in record for record in records] == [False, True]
    (written,) = (tmp_path / "out").iterdir()
    assert written.name == "plain.annotated.png"
    with Image.open(written) as image:
        assert image.size == (48, 48)
        assert len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 10


def test_an_image_that_cannot_be_drawn_is_an_error_and_the_others_are_drawn(
    settings: Make, crops: list[str], tmp_path: Path
) -> None:
    names = ["first.png", "pano.webp", f"{'n' * 245}.png", "last.png"]
    for name in names:
        Image.open(crops[0]).save(tmp_path / name, "PNG")
    Image.new("L", (17_000, 4), 90).save(tmp_path / "pano.webp", "PNG")
    options = settings(folder=str(tmp_path), annotate="out", root=str(tmp_path))
    records = _read([Entry(name) for name in names], options, open_detector(options))
    assert [record["source"] for record in records] == names
    assert ["error" in record for record in records] == [False, True, True, False]
    assert "17000 x 4 pixels cannot be written as WEBP" in records[1]["error"]
    assert "too long" in records[2]["error"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["first.png", "last.png"]


@pytest.mark.parametrize("odd", [{"3.jpg"}, {"0.jpg", "63.jpg", "64.jpg", "99.jpg"}])
def test_what_nobody_thought_of_costs_its_image_alone(settings: Make, odd: set[str]) -> None:
    class Odd(StandIn):
        def detect_many(self, images: Sequence[Path]) -> list[Result | ImageError]:
            if any(path.name in odd for path in images):
                raise RuntimeError("out of\nluck")
            return super().detect_many(images)

    files = [Entry(f"{number}.jpg") for number in range(100)]
    records = _read(files, settings(crops=False), Odd())
    assert [record["source"] for record in records] == [entry.source for entry in files]
    assert {record["source"] for record in records if "error" in record} == odd
    assert {record["error"] for record in records if "error" in record} == {
        "unforeseen RuntimeError: out of luck"
    }


@pytest.mark.parametrize("link", ["out/a.png", "out/sub"])
def test_no_link_leads_annotated_images_out_of_their_folder(
    settings: Make, crops: list[str], tmp_path: Path, link: str
) -> None:
    for name in ("a.png", "b.png", "sub/c.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.open(crops[0]).save(tmp_path / "in" / name)
    (tmp_path / "out").mkdir()
    (tmp_path / link).symlink_to(tmp_path / "in" / ("b.png" if link == "out/a.png" else "sub"))
    before = {path: path.read_bytes() for path in (tmp_path / "in").rglob("*.png")}
    options = settings(folder=str(tmp_path), annotate="out", root=str(tmp_path / "in"))
    files = [Entry(f"in/{name}") for name in ("a.png", "b.png", "sub/c.png")]
    with pytest.raises(InputError, match="would replace"):
        _read(files, options, open_detector(options))
    assert {path: path.read_bytes() for path in (tmp_path / "in").rglob("*.png")} == before


def test_an_image_never_replaces_itself(settings: Make, crops: list[str], tmp_path: Path) -> None:
    Image.open(crops[0]).save(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    options = settings(folder=str(tmp_path), annotate=".", root=str(tmp_path))
    with pytest.raises(InputError, match=r"would replace .*a\.png; name another folder"):
        _read([Entry("a.png")], options, open_detector(options))
    assert (tmp_path / "a.png").read_bytes() == before


def test_a_model_that_cannot_be_read_is_one_line(settings: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.onnx: no such run folder or ONNX") as refusal:
        identify_model(settings(model=str(tmp_path / "none.onnx")))
    assert "\n" not in str(refusal.value)


def test_the_detector_that_identifies_the_model_is_used(settings: Make) -> None:
    known = settings()
    found = identify_model(settings(model="pretrained", sha256=""))
    assert found == known
    detector = open_detector(found)
    assert open_detector(known) is detector
    assert open_detector(known, threads=1) is not detector
