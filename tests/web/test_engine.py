"""The page's engine in Node against what Python computes, on the same numbers."""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from emotion_detection.inference import face_detector
from emotion_detection.inference import second_pass as closer_look
from emotion_detection.inference.align import MARGIN, align, compute_placement, cut_out
from emotion_detection.inference.explain import explain_crop
from emotion_detection.inference.face_detector import (
    FaceDetector,
    decode_outputs,
    suppress_overlaps,
)
from emotion_detection.postprocessing import Postprocessing, Prior
from emotion_detection.views import VIEWS, ZOOM, make_views

ROOT = Path(__file__).resolve().parents[2]
Engine = Callable[..., list[Any]]


def _text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.uint8)


def _image(rgb: np.ndarray) -> dict[str, Any]:
    return {"width": rgb.shape[1], "height": rgb.shape[0], "rgb": _text(rgb)}


def _noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_npm_test_passes() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    done = subprocess.run(
        [node, "--test", "test/align.test.js"], cwd=ROOT / "web", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("channels", [1, 3])
def test_crops_are_pythons_to_the_byte(engine: Engine, channels: int) -> None:
    rgb = _noise(90, 120)
    generator = np.random.default_rng(channels)
    boxes = np.hstack(
        [generator.uniform(-40, 100, (12, 2)), generator.uniform(3, 300, (12, 2))]
    ).tolist()
    points = generator.uniform(-50, 150, (12, 5, 2)).tolist()
    values = [
        {
            **_image(rgb),
            "box": box,
            "landmarks": landmarks,
            "input": {"size": 48, "channels": channels},
            "margin": MARGIN,
        }
        for box, landmarks in zip(boxes, points, strict=True)
    ]
    for made, box, landmarks in zip(engine("align", *values), boxes, points, strict=True):
        wanted = align(rgb, box, landmarks, 48, channels)
        np.testing.assert_array_equal(_bytes(made), wanted.ravel())


@pytest.mark.parametrize("views", VIEWS)
@pytest.mark.parametrize("channels", [1, 3])
def test_views_of_faces_are_pythons_to_the_byte(engine: Engine, channels: int, views: int) -> None:
    rgb = _noise(90, 120)
    generator = np.random.default_rng(7)
    faces = [
        {
            "box": generator.uniform(10, 60, 4).tolist(),
            "landmarks": generator.uniform(0, 90, (5, 2)).tolist(),
        }
        for _ in range(3)
    ]
    about = {"input": {"size": 48, "channels": channels}, "margin": MARGIN, "zoom": ZOOM}
    (made,) = engine("views", {**_image(rgb), "faces": faces, "about": about, "views": views})
    cut = [
        np.stack(
            [
                cut_out(
                    rgb, compute_placement(face["box"], face["landmarks"], 48, margin), 48, channels
                )
                for face in faces
            ]
        ).reshape(3, 48, 48, channels)
        for margin in (MARGIN, MARGIN / ZOOM)
    ]
    crops, closer = (one.transpose(0, 3, 1, 2) for one in cut)
    wanted = make_views(crops, views, closer)
    assert len(made) == len(wanted) == views
    for one, other in zip(made, wanted, strict=True):
        for crop, like in zip(one, other, strict=True):
            np.testing.assert_array_equal(_bytes(crop), like.transpose(1, 2, 0).ravel())


@pytest.mark.parametrize("views", VIEWS)
@pytest.mark.parametrize("prior", ["natural", "balanced"])
def test_scores_are_combined_as_in_python(engine: Engine, views: int, prior: Prior) -> None:
    readout = Postprocessing((0.6, 0.3, 0.1), 0.2, {2: 0.9, 4: 0.8})
    shown = np.random.default_rng(views).dirichlet((1, 1, 1), (views, 5)).astype(np.float32)
    about = {"label_set": "abc", "prior": prior, "readouts": {"abc": readout.as_dict()}}
    made = engine("combine", *({"views": shown[:, k].tolist(), "about": about} for k in range(5)))
    np.testing.assert_allclose(made, readout.combine(list(shown), prior), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_mirrored_crops_are_numpys(engine: Engine, channels: int) -> None:
    crop = _noise(21, 21)[..., :channels]
    value = {"crop": _text(crop), "input": {"size": 21, "channels": channels}}
    (made,) = engine("mirror", value)
    np.testing.assert_array_equal(_bytes(made), crop[:, ::-1].ravel())


def test_detector_settings_are_those_of_the_model_file(engine: Engine) -> None:
    told = {"working_size": 500, "confidence": 0.6, "smallest": 30, "least_score": 0, "pixels": 1}
    without, with_level = engine(
        "settings", {"thresholds": told}, {"thresholds": {**told, "certain": 0.7}}
    )
    # the level from which a face is certain is never below the level from which it is reported
    assert without == {"working_size": 500, "confidence": 0.6, "smallest": 30, "certain": 0.6}
    assert with_level["certain"] == 0.7


@pytest.mark.parametrize(
    ("size", "to"),
    [
        ((61, 43), (40, 28)),
        ((50, 80), (75, 120)),
        ((300, 211), (90, 63)),
        ((301, 97), (64, 21)),
        ((530, 301), (128, 73)),
        ((640, 33), (100, 33)),
        ((1200, 900), (128, 96)),
        ((7, 999), (1, 128)),
        ((90, 640), (60, 427)),
        ((1111, 777), (100, 70)),
    ],
)
def test_resizing_is_pillows_to_the_byte(
    engine: Engine, size: tuple[int, int], to: tuple[int, int]
) -> None:
    rgb = _noise(size[1], size[0])
    (made,) = engine("resize", {**_image(rgb), "to": to})
    wanted = Image.fromarray(rgb).resize(to, Image.Resampling.BILINEAR, reducing_gap=2.0)
    np.testing.assert_array_equal(_bytes(made), np.asarray(wanted).ravel())


@pytest.mark.parametrize(("size", "channels"), [(48, 1), (32, 3), (64, 1), (21, 1)])
def test_blurring_is_pillows_to_the_byte(engine: Engine, size: int, channels: int) -> None:
    rgb = _noise(size, size, size)
    pixels = rgb if channels == 3 else rgb[..., 0]
    value = {"pixels": _text(pixels), "size": size, "channels": channels, "radius": size / 8}
    wanted = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(size / 8))
    np.testing.assert_array_equal(_bytes(engine("blur", value)[0]), np.asarray(wanted).ravel())


def test_outputs_are_decoded_as_in_python(engine: Engine) -> None:
    generator = np.random.default_rng(3)
    rows, columns = 12, 16
    heat = (generator.random((1, rows, columns)) ** 6).astype(np.float32)
    size = generator.normal(1, 1.5, (2, rows, columns)).astype(np.float32)
    size[:, 3] = 80  # beyond what is believed
    offset = generator.random((2, rows, columns), np.float32)
    marks = generator.normal(0.5, 2, (10, rows, columns)).astype(np.float32)
    corners, landmarks, confidence = decode_outputs(heat, size, offset, marks, 0.3)
    outputs = {"heat": heat, "size": size, "offset": offset, "marks": marks}
    texts = {name: _text(value) for name, value in outputs.items()}
    (made,) = engine("decode", {**texts, "rows": rows, "columns": columns, "threshold": 0.3})
    assert len(made["boxes"]) == len(confidence) > 5
    found = [[box["low"], box["high"], *box["landmarks"]] for box in made["boxes"]]
    np.testing.assert_allclose(found, np.concatenate([corners, landmarks], axis=1), rtol=1e-9)
    np.testing.assert_allclose([box["confidence"] for box in made["boxes"]], confidence)
    assert made["kept"] == suppress_overlaps(corners, confidence).tolist()


@pytest.mark.parametrize(
    ("width", "height"), [(1920, 1350), (100, 60), (128, 90), (129, 90), (333, 250), (21, 640)]
)
def test_it_has_the_passes_and_sizes_of_python(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, width: int, height: int
) -> None:
    rgb = np.full((height, width, 3), 90, np.uint8)
    sizes: list[list[int]] = []

    class Nothing:
        def run(self, _: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
            high, wide = feeds["input.1"].shape[2:]
            sizes.append([high, wide])
            return [np.zeros((1, n, high // 4, wide // 4), np.float32) for n in (1, 2, 2, 10)]

    monkeypatch.setattr(face_detector, "open_session", lambda *_: Nothing())
    FaceDetector().find(rgb)
    settings = {"working_size": 640, "confidence": 0.3, "smallest": 24}
    value = {**_image(rgb), "settings": settings}
    assert engine("passes", {**value, "once": False}) == [sizes]
    (once,) = engine("passes", {**value, "once": True})
    assert once == sizes[:1]


def test_the_heat_map_is_pythons(engine: Engine) -> None:
    crop = _noise(48, 48)[..., 0]
    weights = np.random.default_rng(1).random((48, 48)).astype(np.float32) / 1e5

    def scores(crops: np.ndarray) -> np.ndarray:
        return (crops.reshape(len(crops), -1) @ weights.ravel().astype(np.float64))[:, None]

    wanted = explain_crop(scores, crop, 0, "occlusion")
    value = {
        "crop": _text(crop),
        "input": {"size": 48, "channels": 1},
        "weights": _text(weights),
    }
    made = np.frombuffer(base64.b64decode(engine("occlusion", value)[0]), np.float32)
    np.testing.assert_allclose(made.reshape(48, 48), wanted, atol=1e-5)


def test_constants_are_pythons() -> None:
    engine = ROOT / "web" / "src" / "engine"
    source = (engine / "centerface.js").read_text(encoding="utf-8")
    passes = (engine / "passes.js").read_text(encoding="utf-8")
    names = ("STRIDE", "MULTIPLE", "OVERLAP", "CLOSE_SIZE", "CLOSE_MARGIN", "LARGEST")
    for name in (*names, "ASTRAY", "GREY", "TOUCHING"):
        assert f"const {name} = {json.dumps(getattr(face_detector, f'_{name}'))};" in source
    for name in ("LARGER", "CLOSEST", "OVERLAP"):
        assert f"const {name} = {json.dumps(getattr(face_detector, f'_{name}'))};" in passes
    for name in ("AROUND", "LEAST_AROUND", "BORDER", "INSIDE"):
        assert f"const {name} = {getattr(closer_look, f'_{name}'):g};" in passes
