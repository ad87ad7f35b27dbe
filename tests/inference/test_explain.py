"""Heat maps that follow the model, not the face; and the command that draws them."""

import io
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image, ImageCms, ImageFilter
from scipy.stats import spearmanr

from emotion_detection import EmotionDetector, pretrained
from emotion_detection.commands import explain as command
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError
from emotion_detection.inference import explain as module
from emotion_detection.inference.explain import (
    COLOUR_MAP,
    METHODS,
    draw_heat_map,
    explain_crop,
    stack_crops,
)
from emotion_detection.results import Result

REGION = (slice(8, 16), slice(26, 38))


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


def _sees_region(crops: np.ndarray) -> np.ndarray:
    """Score how much of the contrast of one region is left; nothing else counts."""
    grey = crops if crops.ndim == 3 else crops[..., 0]
    contrast = grey[:, REGION[0], REGION[1]].astype(np.float64).std(axis=(1, 2)) / 150
    return np.column_stack([1 - contrast, contrast]).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(48, 48), (48, 48, 3), (40, 56)])
def test_the_map_is_hot_where_the_model_looks(method: Any, shape: tuple[int, ...]) -> None:
    heat = explain_crop(_sees_region, _noise(*shape), 1, method, masks=400)
    assert (heat.shape, heat.dtype) == (shape[:2], np.float32)
    inside = np.zeros(shape[:2], bool)
    inside[REGION] = True
    assert heat[inside].mean() > 5 * np.abs(heat[~inside]).mean()
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert 6 <= y <= 17
    assert 24 <= x <= 39


def test_what_speaks_against_an_emotion_is_negative() -> None:
    for_it, against = (explain_crop(_sees_region, _noise(48, 48), e, masks=200) for e in (1, 0))
    np.testing.assert_allclose(against, -for_it, atol=1e-5)


def test_without_an_emotion_the_highest_is_explained() -> None:
    crop = _noise(48, 48)
    assert _sees_region(crop[None])[0].argmax() == 0
    np.testing.assert_array_equal(
        explain_crop(_sees_region, crop, masks=100), explain_crop(_sees_region, crop, 0, masks=100)
    )


def test_a_pixel_of_rise_is_the_slope_of_the_score_over_its_mask() -> None:
    crop, seen = _noise(48, 48), []
    heat = explain_crop(lambda c: seen.append(c) or _sees_region(c), crop, 1, masks=300)
    masks = np.concatenate(list(module._random_masks((48, 48), 300, 0)))
    scores = _sees_region(np.concatenate(seen[1:]))[:, 1].astype(np.float64)
    assert len(scores) == 300
    for y, x in ((12, 30), (0, 0), (47, 20), (30, 47)):
        slope, _ = np.polyfit(masks[:, y, x].astype(np.float64), scores, 1)
        assert heat[y, x] == pytest.approx(slope, abs=1e-4)


def test_masks_of_rise_are_smooth_and_half_open_everywhere() -> None:
    masks = np.concatenate(list(module._random_masks((48, 56), 600, 1)))
    assert masks.shape == (600, 48, 56)
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert np.abs(masks.mean(axis=0) - 0.5).max() < 0.12
    assert masks.std(axis=0).min() > 0.2
    assert np.abs(np.diff(masks, axis=2)).max() < 0.2


def test_occlusion_is_the_mean_loss_over_the_squares_that_hide_a_pixel() -> None:
    crop = _noise(48, 48)
    hidden = np.asarray(Image.fromarray(crop).filter(ImageFilter.GaussianBlur(6)))
    whole = _sees_region(crop[None])[0, 1]
    lost, count = np.zeros((48, 48)), np.zeros((48, 48))
    for top in range(-9, 48, 3):
        for left in range(-9, 48, 3):
            square = (slice(max(0, top), top + 12), slice(max(0, left), left + 12))
            changed = crop.copy()
            changed[square] = hidden[square]
            lost[square] += whole - _sees_region(changed[None])[0, 1]
            count[square] += 1
    heat = explain_crop(_sees_region, crop, 1, "occlusion")
    np.testing.assert_allclose(heat, lost / count, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_map_depends_on_nothing_but_its_arguments(
    method: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    crop = _noise(48, 48)
    before = crop.copy()
    once = explain_crop(_sees_region, crop, 1, method, seed=4, masks=150)
    others = []
    thread = threading.Thread(
        target=lambda: others.append(explain_crop(_sees_region, crop, 1, method, seed=4, masks=150))
    )
    thread.start()
    thread.join()
    np.testing.assert_array_equal(others[0], once)
    np.testing.assert_array_equal(crop, before)
    monkeypatch.setattr(module, "_BATCH", 17)
    np.testing.assert_allclose(
        explain_crop(_sees_region, crop, 1, method, seed=4, masks=150), once, atol=1e-5
    )
    other = explain_crop(_sees_region, crop, 1, method, seed=5, masks=150)
    assert (other == once).all() == (method == "occlusion")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"crop": _noise(48, 48).astype(np.float32)}, "float32"),
        ({"crop": _noise(1, 48, 48)}, r"\(1, 48, 48\)"),
        ({"crop": _noise(48, 48, 4)}, r"\(48, 48, 4\)"),
        ({"crop": _noise(6, 48)}, "at least 7 pixels"),
        ({"emotion": 2}, "emotion 2: must be from 0 to 1"),
        ({"emotion": -1}, "emotion -1: must be from 0 to 1"),
        ({"method": "gradient"}, "method 'gradient': must be rise or occlusion"),
        ({"seed": -1}, "seed -1"),
        ({"masks": 1}, "masks 1"),
    ],
)
def test_what_cannot_be_explained_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        explain_crop(**{"scores": _sees_region, "crop": _noise(48, 48), **changes})


@pytest.fixture(scope="module")
def shipped() -> EmotionDetector:
    return EmotionDetector(threads=1)


@pytest.fixture(scope="module")
def drawn(shipped: EmotionDetector) -> np.ndarray:
    """Three drawn faces that the shipped model is sure of, each of another emotion."""
    faces = make_synthetic_faces(40, seed=5).faces
    scores = shipped.classify(faces)
    best = {scores[row].argmax(): row for row in scores.max(axis=1).argsort()}
    return faces[sorted(best.values(), key=lambda row: -scores[row].max())[:3]]


def _shuffled(path: Path) -> Path:
    """Write a copy of the shipped model with the weights of every layer in random order."""
    model = onnx.load(pretrained.find_model())
    generator = np.random.default_rng(0)
    changed = 0
    for held in model.graph.initializer:
        values = numpy_helper.to_array(held)
        if values.dtype in (np.float32, np.float16) and values.ndim >= 2:
            mixed = generator.permutation(values.ravel()).reshape(values.shape)
            held.CopyFrom(numpy_helper.from_array(mixed, held.name))
            changed += 1
    assert changed > 5
    path.write_bytes(model.SerializeToString())
    return path


def _alike(one: list[np.ndarray], two: list[np.ndarray]) -> float:
    pairs = zip(one, two, strict=True)
    return float(np.mean([spearmanr(a.ravel(), b.ravel()).statistic for a, b in pairs]))


@pytest.mark.slow
def test_random_weights_give_another_map(
    shipped: EmotionDetector, drawn: np.ndarray, tmp_path: Path
) -> None:
    """Adebayo et al. (2018), Sanity Checks for Saliency Maps."""
    other = EmotionDetector(_shuffled(tmp_path / "shuffled.onnx"), threads=1)
    columns = shipped.classify(drawn).argmax(axis=1)

    def maps(detector: EmotionDetector, seed: int) -> list[np.ndarray]:
        pairs = zip(drawn, map(int, columns), strict=True)
        return [explain_crop(detector.classify, c, e, seed=seed, masks=300) for c, e in pairs]

    own = maps(shipped, 0)
    # the masks are the same ones: what is alike comes of the model, not of chance
    assert abs(_alike(own, maps(other, 0))) < 0.3
    assert _alike(own, maps(shipped, 1)) > 0.4


def _left(score: Callable[[np.ndarray], np.ndarray], crop: np.ndarray, order: np.ndarray) -> float:
    """Return the mean score while pixels are hidden one after the other (deletion curve)."""
    hidden = np.asarray(Image.fromarray(crop).filter(ImageFilter.GaussianBlur(6))).ravel()
    steps = []
    for count in np.linspace(0, crop.size, 17).astype(int):
        changed = crop.ravel().copy()
        changed[order[:count]] = hidden[order[:count]]
        steps.append(changed.reshape(crop.shape))
    return float(score(np.stack(steps)).mean())


@pytest.mark.parametrize("method", METHODS)
def test_hiding_the_hottest_lowers_the_score_faster_than_hiding_at_random(
    shipped: EmotionDetector, drawn: np.ndarray, method: Any
) -> None:
    generator = np.random.default_rng(0)
    by_heat, by_chance, coldest = [], [], []
    for crop in drawn:
        column = int(shipped.classify(crop[None])[0].argmax())
        heat = explain_crop(shipped.classify, crop, column, method, masks=250)

        def score(crops: np.ndarray, column: int = column) -> np.ndarray:
            return shipped.classify(crops)[:, column]

        by_heat.append(_left(score, crop, heat.ravel().argsort()[::-1]))
        coldest.append(_left(score, crop, heat.ravel().argsort()))
        for _ in range(4):  # regions as connected as the map's, anywhere
            blobs = Image.fromarray(generator.random((7, 7)).astype(np.float32))
            order = np.asarray(blobs.resize(crop.shape, Image.Resampling.BICUBIC)).ravel()
            by_chance.append(_left(score, crop, order.argsort()))
    assert np.mean(by_heat) < 0.75 * np.mean(by_chance)
    assert np.mean(by_heat) < 0.75 * np.mean(coldest)


def test_the_colour_map_is_even() -> None:
    profile = ImageCms.createProfile
    colours = Image.fromarray(np.array([COLOUR_MAP], np.uint8))
    lab = ImageCms.profileToProfile(colours, profile("sRGB"), profile("LAB"), outputMode="LAB")
    lightness = np.asarray(lab)[0, :, 0] * (100 / 255)
    np.testing.assert_allclose(np.diff(lightness), 80 / 7, atol=1.2)


def test_the_image_shows_the_crop_and_its_heat() -> None:
    crop = np.full((48, 48), 128, np.uint8)
    heat = np.full((48, 48), -1, np.float32)
    heat[:24] = 0.5
    image = np.asarray(draw_heat_map(crop, heat, "happiness 93%")).astype(int)
    bare = np.asarray(draw_heat_map(crop, np.full_like(heat, -1))).astype(int)
    gap, top = 256 // 24, 2 * (256 // 24) + round(1.2 * 16)
    left, right = (slice(x, x + 256) for x in (gap, 2 * gap + 256))
    assert (image[top : top + 256, left] == 128).all()
    hot, cold = image[top : top + 100, right], image[top + 156 : top + 256, right]
    assert (cold == 128).all()
    assert np.abs(hot - (128 + 0.8 * (np.array(COLOUR_MAP[-1]) - 128))).max() <= 1
    assert (bare[top : top + 256, right] == 128).all()
    assert (image[:top] < 100).any()  # the caption


def test_next_to_nothing_does_not_look_hot() -> None:
    crop = np.full((48, 48), 128, np.uint8)
    faint = np.asarray(draw_heat_map(crop, np.full((48, 48), 1e-5, np.float32))).astype(int)
    assert np.abs(faint[100:150, 350:400] - 128).max() < 8


@pytest.mark.parametrize("shape", [(48, 48), (112, 112, 3), (40, 60), (60, 40, 3)])
@pytest.mark.parametrize("side", [32, 256])
def test_images_of_any_crop_can_be_drawn_and_stacked(shape: Any, side: int) -> None:
    one = draw_heat_map(_noise(*shape), np.ones(shape[:2], np.float32), "x", side)
    assert one.mode == "RGB"
    assert one.width > 2 * round(side * shape[1] / shape[0])
    sheet = stack_crops([one] * 7)
    assert sheet.width * sheet.height >= 7 * one.width * one.height


@pytest.fixture
def face_png(tmp_path: Path, drawn: np.ndarray) -> Path:
    path = tmp_path / "mein gesicht.png"
    Image.fromarray(drawn[0]).resize((96, 96)).save(path)
    return path


def test_the_command_explains_a_crop(
    face_png: Path,
    shipped: EmotionDetector,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(face_png.parent)
    assert command.run([str(face_png), "--crops", "--method", "occlusion"]) == 0
    shown = Image.open(io.BytesIO(face_png.read_bytes()))
    shown = shown.resize((48, 48), Image.Resampling.BILINEAR)
    scores = shipped.classify(np.asarray(shown)[None])[0]
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"face: {shipped.labels[scores.argmax()]} {scores.max():.0%}"
    assert last.startswith("wrote mein gesicht-explained.png: ")
    written = (face_png.parent / "mein gesicht-explained.png").read_bytes()
    assert Image.open(io.BytesIO(written)).format == "PNG"


def test_the_command_hands_on_what_is_asked_for(
    face_png: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def explained(scores: Any, crop: np.ndarray, *options: Any) -> np.ndarray:
        asked.append((crop.shape, *options))
        return np.zeros(crop.shape[:2], np.float32)

    monkeypatch.setattr("emotion_detection.inference.explain.explain_crop", explained)
    out = tmp_path / "new" / "a.png"
    words = [str(face_png), "--crops", "--labels", "fer2013", "--out", str(out), "--emotion"]
    assert command.run([*words, "sad"]) == 0
    assert command.run([*words, "fear", "--seed", "7", "--method", "occlusion"]) == 0
    assert asked == [((48, 48), 4, "rise", 0), ((48, 48), 2, "occlusion", 7)]
    said = capsys.readouterr().out
    assert said.count("face: sadness") == 1
    assert said.count("face: fear") == 1


def _seen(count: int, skipped: int, crops: np.ndarray) -> Callable[..., Any]:
    about = Result(640, 480, skipped=skipped)
    return lambda *_: SimpleNamespace(about=about, faces=(None,) * count, crops=crops[:count])


def test_the_command_explains_every_face_of_a_photo(
    drawn: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(EmotionDetector, "look", _seen(2, 0, drawn))
    out = tmp_path / "a.png"
    assert command.run(["photo.jpg", "--out", str(out), "--method", "occlusion"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["face 1", "face 2"]
    one = draw_heat_map(drawn[0], np.zeros((48, 48), np.float32))
    assert Image.open(io.BytesIO(out.read_bytes())).height == 2 * one.height


def test_the_command_detects_faces_as_predict_does(
    drawn: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def look(detector: EmotionDetector, image: str) -> SimpleNamespace:
        told.append(detector.settings)
        return _seen(1, 0, drawn)()

    monkeypatch.setattr(EmotionDetector, "look", look)
    options = ["--min_confidence", "0.7", "--min_face_size", "50", "--detection_size", "1280"]
    words = ["photo.jpg", "--out", str(tmp_path / "a.png"), "--method", "occlusion", *options]
    assert command.run(words) == 0
    (settings,) = told
    assert (settings.min_confidence, settings.min_face_size, settings.detection_size) == (
        0.7,
        50.0,
        1280,
    )


def test_a_photo_without_a_face_is_an_error(
    drawn: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmotionDetector, "look", _seen(0, 2, drawn))
    out = tmp_path / "a.png"
    with pytest.raises(InputError, match=r"no face was found \(2 too small were left out\)"):
        command.run(["photo.jpg", "--out", str(out)])
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{}", "--emotion", "joyous"], "--emotion joyous: must be one of anger, "),
        (["{}", "--labels", "fer2013", "--emotion", "contempt"], "--emotion contempt: must be"),
        (["{}", "--method", "gradient"], "--method gradient: must be rise or occlusion"),
        (["{}", "--out", "a.jpg"], "--out a.jpg: the name must end in .png"),
        (["{}", "--seed", "-1"], "--seed -1: must be 0 or more"),
        (["{}", "--seed", "x"], "--seed x: must be a whole number"),
        (["{}", "--model", "none"], "none: no such run folder or ONNX file"),
        (["{}", "--labels", "none"], "labels 'none'"),
        (["none.png"], "none.png: no such file"),
        (["https://example.org/a.png"], "a URL"),
        (["{}", "--nothing", "1"], "--nothing: no such option"),
    ],
)
def test_what_the_command_cannot_do_is_reported_in_one_line(
    words: list[str], said: str, face_png: Path
) -> None:
    with pytest.raises(InputError) as caught:
        command.run([word.format(face_png) for word in words] + ["--crops"])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
