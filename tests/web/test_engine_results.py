"""The page's results and files in Node against Python's: people, tables, headers of images."""

import base64
import csv
import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection import EmotionDetector
from emotion_detection.images.opening import MAX_PIXELS
from emotion_detection.inference.browser_export import describe_browser_model
from emotion_detection.inference.table_files import open_table
from emotion_detection.inference.tracking import track_faces
from emotion_detection.results import LANDMARKS, Face, Result

Engine = Callable[..., list[Any]]


def _face(
    box: tuple[float, float, float, float],
    scores: tuple[float, ...],
    confidence: float = 0.9,
    **more: Any,
) -> Face:
    points = tuple((box[0] + k, box[1] + 2 * k) for k in range(5))
    return Face(box, points, confidence, dict(zip("abc", scores, strict=True)), **more)


def _plain(result: Result) -> dict[str, Any]:
    faces = [
        {**dataclasses.asdict(face), "scores": list(face.scores.values())} for face in result.faces
    ]
    return {**dataclasses.asdict(result), "faces": faces}


@pytest.mark.parametrize("least", [0.9, 0.3], ids=["confident", "some-uncertain"])
def test_people_are_followed_as_in_python(engine: Engine, least: float) -> None:
    generator = np.random.default_rng(5)
    results = []
    for step in range(60):
        places = [(20.0 + 6 * step, 40.0), (380.0 - 6 * step, 60.0)]
        shown = [place for place in places if generator.random() > 0.2]
        faces = []
        for x, y in shown:
            share = generator.dirichlet((1, 1, 1))
            confidence = generator.uniform(least, 0.6) if least < 0.6 else least
            faces.append(
                _face((x, y, 90, 110), tuple(share), confidence, intensity=float(share[0]))
            )
        results.append(Result(640, 480, tuple(faces), frame=step, time=step * 0.13))
    wanted = list(track_faces(results))
    followed = sum(len(result.faces) for result in wanted)
    assert (followed == sum(len(result.faces) for result in results)) == (least == 0.9)
    (made,) = engine("track", [_plain(result) for result in results])
    first = min(face.track or 0 for result in wanted for face in result.faces)
    for one, other in zip(made, wanted, strict=True):
        # people are numbered from 1 on the page
        tracks = [(face.track or 0) - first + 1 for face in other.faces]
        assert [face["track"] for face in one["faces"]] == tracks
        for face, like in zip(one["faces"], other.faces, strict=True):
            np.testing.assert_allclose(face["scores"], list(like.scores.values()), atol=1e-12)
            assert face["intensity"] == pytest.approx(like.intensity)


def _numbered_from_1(table: bytes) -> str:
    """Return a table of Python's with the faces of each file numbered from 1, as on the page."""
    with io.StringIO(table.decode(), newline="") as file:
        rows = list(csv.reader(file))
    place = rows[0].index("face")
    first = min(int(row[place]) for row in rows[1:] if row[place])
    for row in rows[1:]:
        row[place] = str(int(row[place]) - first + 1) if row[place] else ""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()


def test_the_table_is_pythons_to_the_byte(engine: Engine, tmp_path: Path) -> None:
    faces = (
        _face((1.005, -2.349, 30, 40.25), (0.7, 0.2, 0.1), intensity=0.123456, flags=("cut",)),
        _face((99.5, 7, 31, 41), (0.33335, 0.33333, 0.33332)),
    )
    results = [
        Result(640, 480, faces, 2, '=cmd"|calc', ("animated: a, b", "second")),
        Result(640, 480, source="-1.png"),
        Result(640, 480, (dataclasses.replace(faces[1], track=4),), 0, "clip", (), 7, 0.25),
    ]
    with open_table(tmp_path / "t.csv", "abc") as growing:
        for result in results:
            growing.add(result.as_dict())
        growing.add({"source": "@bad\r.png", "error": "truncated, at 5"})
    entries: list[dict[str, Any]] = [*map(_plain, results)]
    entries.append({"source": "@bad\r.png", "error": "truncated, at 5"})
    about = describe_browser_model(EmotionDetector())
    scores = [name for name in about["columns"] if "score_" in name]
    columns = [name for name in about["columns"] if name not in scores]
    columns[15:15] = [f"score_{name}" for name in "abc"]
    columns[-3:-3] = [f"raw_score_{name}" for name in "abc"]
    about |= {"labels": list("abc"), "columns": columns, "landmarks": list(LANDMARKS)}
    (made,) = engine("csv", {"entries": entries, "about": about})
    assert made == _numbered_from_1((tmp_path / "t.csv").read_bytes())


TIFF = "a TIFF image, which browsers do not decode; save it as JPEG or PNG"


def _file(kind: str, size: tuple[int, int], frames: int = 1, **options: Any) -> bytes:
    levels = np.random.default_rng(0).integers(0, 256, (frames, *size[::-1], 3), np.uint8)
    images = [Image.fromarray(frame) for frame in levels]
    out = io.BytesIO()
    more = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    images[0].save(out, kind, **more, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "options", "frames"),
    [
        *(("JPEG", {}, 1), ("JPEG", {"progressive": True}, 1), ("PNG", {}, 1), ("PNG", {}, 3)),
        *(("WEBP", {}, 1), ("WEBP", {"lossless": True}, 1), ("WEBP", {}, 3)),
        ("JPEG", {"exif": Image.Exif().tobytes(), "comment": b"x" * 500}, 1),
        ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}, 1),
        *(("GIF", {}, 1), ("GIF", {}, 3), ("BMP", {}, 1), ("AVIF", {}, 1)),
    ],
)
def test_headers_are_read(engine: Engine, kind: str, options: dict[str, Any], frames: int) -> None:
    content = _file(kind, (71, 53), frames, **options)
    value = {"file": base64.b64encode(content).decode(), "pixels": MAX_PIXELS}
    assert engine("header", value) == [{"width": 71, "height": 53, "frames": frames}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty: 0 bytes"),
        (b"text" + bytes(60), "not a JPEG, PNG, WebP, GIF, BMP or AVIF image"),
        (_file("TIFF", (9, 9)), TIFF),
        (b"MM\0+" + bytes(60), TIFF),
        (_file("PPM", (9, 9)), TIFF.replace("a TIFF", "a PBM, PGM or PPM")),
        (_file("JPEG2000", (9, 9)), TIFF.replace("a TIFF", "a JPEG 2000")),
        (b"GIF89a" + bytes(60), "damaged: it says no size"),
        (_file("PNG", (40, 30))[:-20], "truncated: its end is missing"),
        (_file("WEBP", (40, 30))[:-20], "truncated: its end is missing"),
        (_file("JPEG", (40, 30))[:60], "damaged: it says no size"),
        (_file("PNG", (40, 30)), "40 x 30 pixels: more than 0.001 megapixels; make it smaller"),
    ],
)
def test_bad_files_are_refused_in_words(engine: Engine, content: bytes, said: str) -> None:
    value = {"file": base64.b64encode(content).decode(), "pixels": 1000}
    assert engine("header", value) == [{"error": said}]
