"""What is answered: what the detector itself says, of images as they come."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection import EmotionDetector, __version__, pretrained
from emotion_detection.inference.annotate import annotate_image
from emotion_detection.serving.app import describe_model
from emotion_detection.serving.server_settings import Settings
from emotion_detection.training_record import SYNTHETIC_NOTE

Encode = Callable[..., bytes]


def _same(answer: Any, result: Any) -> None:
    """Compare JSON with a result: scores of batches differ by what float32 leaves open."""
    wanted = json.loads(json.dumps(result.as_dict()))
    assert [face["emotion"] for face in answer["faces"]] == [
        face["emotion"] for face in wanted["faces"]
    ]
    for face, other in zip(answer["faces"], wanted["faces"], strict=True):
        assert face["scores"] == pytest.approx(other["scores"], abs=2e-4)
        assert face["intensity"] == pytest.approx(other["intensity"], abs=2e-4)
        assert {**face, "scores": 0, "intensity": 0} == {**other, "scores": 0, "intensity": 0}
    assert {**answer, "faces": 0, "source": 0} == {**wanted, "faces": 0, "source": 0}


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("PNG", "")],
)
def test_a_photo_gives_the_detector_s_result(
    running: Any, photograph: np.ndarray, encode: Encode, kind: str, media_type: str
) -> None:
    content = encode(photograph, kind)
    answer = running.post("/v1/predict", content, media_type or "application/octet-stream")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(answer.json()["faces"]) == 3
    _same(answer.json(), running.detector.detect(content))


def test_answers_of_a_model_of_synthetic_faces_have_its_note(
    running: Any, photograph: np.ndarray, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmotionDetector, "is_synthetic", True)
    for path in ("/v1/predict", "/v1/classify"):
        answer = running.post(path, encode(photograph, "PNG")).json()
        assert answer["notes"] == [SYNTHETIC_NOTE], path


def test_a_crop_gives_the_detector_s_result(running: Any, crop: np.ndarray) -> None:
    for size in (48, 100):
        image = Image.fromarray(crop).resize((size, size))
        out = io.BytesIO()
        image.save(out, "PNG")
        (face,) = running.post("/v1/classify", out.getvalue()).json()["faces"]
        (scores,) = running.detector.classify(np.asarray(image)[None])
        assert list(face["scores"]) == list(running.detector.labels)
        assert list(face["scores"].values()) == pytest.approx(scores, abs=2e-4)
        assert (face["box"], face["landmarks"]) == ([0, 0, size, size], {})


def test_common_names_of_types_are_understood(running: Any, crop: np.ndarray) -> None:
    out = io.BytesIO()
    Image.fromarray(crop).save(out, "JPEG")
    for kind in ("image/jpg", "image/pjpeg"):
        answer = running.post("/v1/classify", out.getvalue(), headers={"content-type": kind})
        assert answer.status_code == 200


def test_one_image_of_a_form_gives_a_result(
    running: Any, photograph: np.ndarray, encode: Encode
) -> None:
    content = encode(photograph)
    files = {"picture": ("a photo \N{SNOWMAN}.png", content, "image/png")}
    answer = running.form("/v1/predict", files)
    assert answer.json()["source"] == "a photo \N{SNOWMAN}.png"
    _same(answer.json(), running.detector.detect(content))


def test_several_images_give_results_in_their_order(
    running: Any, photograph: np.ndarray, encode: Encode
) -> None:
    plain = encode(np.full((90, 120, 3), 90, np.uint8), "JPEG")
    files = [
        ("any", ("one.png", encode(photograph), "image/png")),
        ("any", ("bad.png", b"no image", "image/png")),
        ("other", ("two.jpg", plain, "image/jpeg")),
    ]
    results = running.form("/v1/predict", files).json()["results"]
    assert [one["source"] for one in results] == ["one.png", "bad.png", "two.jpg"]
    assert len(results[0]["faces"]) == 3
    assert set(results[1]) == {"source", "error"}
    assert "not a JPEG, PNG or WebP" in results[1]["error"]
    assert (results[2]["width"], results[2]["faces"]) == (120, [])


@pytest.mark.parametrize("accept", ["*/*", "image/png", "image/webp"])
def test_the_annotated_image(
    running: Any, photograph: np.ndarray, encode: Encode, accept: str
) -> None:
    content = encode(photograph)
    answer = running.post("/v1/predict?annotate=true", content, headers={"accept": accept})
    kind = "image/jpeg" if accept == "*/*" else accept
    assert answer.headers["content-type"] == kind
    image = Image.open(io.BytesIO(answer.content))
    assert f"image/{str(image.format).lower()}" == kind
    wanted = np.asarray(annotate_image(photograph, running.detector.detect(content)), float)
    # lossy formats differ a little, the image itself from its annotated copy by much more
    assert np.abs(np.asarray(image.convert("RGB"), float) - wanted).mean() < 4
    assert np.abs(photograph.astype(float) - wanted).mean() > 5


def _turned(photograph: np.ndarray) -> tuple[bytes, dict[str, Any]]:
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera turned: a quarter to the right brings it upright
    out = io.BytesIO()
    Image.fromarray(np.rot90(photograph)).save(out, "PNG", exif=exif)
    return out.getvalue(), {"width": 800, "height": 300}


def _sixteen_bit(photograph: np.ndarray) -> tuple[bytes, dict[str, Any]]:
    grey = np.asarray(Image.fromarray(photograph).convert("L")).astype(np.uint16) * 257
    out = io.BytesIO()
    Image.fromarray(grey).save(out, "PNG")
    return out.getvalue(), {"width": 800}


def _cmyk(photograph: np.ndarray) -> tuple[bytes, dict[str, Any]]:
    out = io.BytesIO()
    Image.fromarray(photograph).convert("CMYK").save(out, "JPEG")
    return out.getvalue(), {"width": 800}


def _animated(photograph: np.ndarray) -> tuple[bytes, dict[str, Any]]:
    out = io.BytesIO()
    first, second = Image.fromarray(photograph), Image.new("RGB", (800, 300))
    first.save(out, "WEBP", save_all=True, append_images=[second], lossless=True)
    return out.getvalue(), {"notes": ["animated: only the first of 2 frames was read"]}


@pytest.mark.parametrize("make", [_turned, _sixteen_bit, _cmyk, _animated])
def test_odd_images_are_read(running: Any, photograph: np.ndarray, make: Any) -> None:
    content, wanted = make(photograph)
    answer = running.post("/v1/predict", content).json()
    assert {name: answer[name] for name in wanted} == wanted
    assert len(answer["faces"]) == 3
    _same(answer, running.detector.detect(content))


def test_what_is_reported_about_the_model(running: Any) -> None:
    about = running.get("/v1/model").json()
    record = pretrained.read_record()
    assert about["labels"] == list(running.detector.labels)
    assert list(about["label_sets"]) == ["ferplus", "fer2013"]
    assert about["input"] == {"size": 48, "channels": 1}
    assert (about["figures"], about["limits"]) == (record["figures"], record["limits"])
    assert about["sha256"] == record["files"]["model.onnx"]["sha256"]
    assert about["server"] == {"max_bytes": 3000000, "max_pixels": 2000000, "max_pictures": 4}


def test_a_model_of_ones_own(
    serving: Any,
    tmp_path: Path,
    crop: np.ndarray,
    encode: Encode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "mine" / "model.onnx"
    path.parent.mkdir()
    shutil.copy(pretrained.find_model(), path)
    detector = EmotionDetector(path.parent, threads=1, labels="fer2013")
    assert describe_model(detector, Settings())["limits"] is None
    monkeypatch.setattr(EmotionDetector, "is_synthetic", True)
    assert describe_model(detector, Settings())["limits"] == SYNTHETIC_NOTE
    monkeypatch.undo()
    with serving(detector, model=str(path.parent), workers=1) as running:
        about = running.get("/v1/model").json()
        assert (about["shipped"], about["label_set"], about["name"]) == (False, "fer2013", "mine")
        assert (len(about["labels"]), about["card"]) == (7, None)
        (face,) = running.post("/v1/classify", encode(crop)).json()["faces"]
        (wanted,) = detector.classify(crop[None])
        assert list(face["scores"].values()) == pytest.approx(wanted, abs=2e-4)


def test_the_openapi_document(running: Any) -> None:
    document = running.get("/openapi.json").json()
    assert document["info"]["version"] == __version__
    assert {*document["paths"]} == {
        *("/v1/predict", "/v1/classify", "/v1/model", "/metrics"),
        *("/health/live", "/health/ready"),
    }
    schemas = document["components"]["schemas"]
    assert schemas["ResultJson"]["examples"][0]["faces"][0]["emotion"] == "happiness"
    predict = document["paths"]["/v1/predict"]["post"]
    assert {"200", "400", "408", "413", "415", "422", "503", "504"} <= {*predict["responses"]}
    assert "multipart/form-data" in predict["requestBody"]["content"]


def test_figures_count_what_happens(
    serving: Any, photograph: np.ndarray, crop: np.ndarray, encode: Encode
) -> None:
    with serving(workers=1) as running:
        assert running.post("/v1/predict", encode(photograph)).status_code == 200
        assert running.post("/v1/classify", encode(crop)).status_code == 200
        assert running.post("/v1/classify", b"no image").status_code == 415
        route = 'method="POST",route="/v1/classify"'
        assert running.figure(f'emotion_requests_total{{{route},status="200"}}') == 1
        assert running.figure(f'emotion_requests_total{{{route},status="415"}}') == 1
        assert running.figure("emotion_faces_total") == 4
        assert running.figure("emotion_pictures_total") == 2
        stages = {"read": 3, "wait": 3, "decode": 2, "detect": 1, "classify": 2, "encode": 2}
        for stage, count in stages.items():
            assert running.figure(f'emotion_stage_seconds_count{{stage="{stage}"}}') == count
        assert running.figure('emotion_errors_total{reason="unsupported_media_type"}') == 1
        assert running.figure("emotion_queue_length") == running.figure("emotion_held_bytes") == 0
