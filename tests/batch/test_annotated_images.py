"""Annotated copies: each image is decoded once, drawn as it is alone, and not held for others."""

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection import EmotionDetector
from emotion_detection.batch import classify
from emotion_detection.batch.classify import Settings, read
from emotion_detection.batch.input_files import Entry
from emotion_detection.images import opening
from emotion_detection.images.opening import load_image
from emotion_detection.inference import detection
from emotion_detection.inference.annotate import annotate_image, save_image
from emotion_detection.inference.devices import Device

Make = Callable[..., Settings]
PORTRAIT = Path(__file__).parents[2] / "docs" / "images" / "astronaut.jpg"


@pytest.fixture(scope="module")
def detector() -> EmotionDetector:
    """A detector whose two networks are open."""
    opened = EmotionDetector(threads=1)
    opened.detect(PORTRAIT)
    return opened


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of small photographs in several formats, one of them cut off."""
    folder = tmp_path / "photos"
    folder.mkdir()
    with Image.open(PORTRAIT) as portrait:
        small = portrait.convert("RGB").resize((256, 256))
    turned = Image.Exif()
    turned[274] = 6  # orientation
    small.save(folder / "a.jpg", icc_profile=b"a profile of no known kind" * 8)
    small.convert("L").save(folder / "b.png")
    (folder / "c.jpg").write_bytes((folder / "a.jpg").read_bytes()[:2000])
    small.transpose(Image.Transpose.ROTATE_90).save(folder / "d.jpg", exif=turned, quality=95)
    Image.new("RGB", (300, 200), (90, 120, 60)).save(folder / "e.webp")
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The size of each image that is decoded, in order."""
    sizes: list[tuple[int, int]] = []
    decode = opening._decoded

    def note(image: Image.Image) -> Image.Image:
        whole = decode(image)
        sizes.append(whole.size)
        return whole

    monkeypatch.setattr(opening, "_decoded", note)
    return sizes


def _annotate(
    settings: Make, folder: Path, detector: EmotionDetector, crops: bool = False
) -> dict[str, Any]:
    """Return the record of each image of a folder; copies are written beside the folder."""
    out = folder.parent / "drawn"
    options = settings(folder=str(folder), annotate=str(out), root=str(folder), crops=crops)
    names = sorted(path.name for path in folder.iterdir())
    records = list(read([Entry(name) for name in names], options, detector))
    assert [record["source"] for record in records] == names
    return dict(zip(names, records, strict=True))


def _drawn_alone(detector: EmotionDetector, path: Path, out: Path) -> bytes:
    """Return an annotated copy made from an image that is decoded for drawing alone."""
    loaded = load_image(path)
    copy = annotate_image(loaded.pixels, detector.detect(path))
    save_image(copy, out, loaded.icc_profile)
    return out.read_bytes()


@pytest.mark.parametrize("crops", [False, True])
def test_each_image_is_decoded_once(
    settings: Make,
    detector: EmotionDetector,
    photos: Path,
    decoded: list[tuple[int, int]],
    crops: bool,
) -> None:
    records = _annotate(settings, photos, detector, crops)
    assert [name for name, record in records.items() if "error" in record] == ["c.jpg"]
    assert decoded == [(256, 256)] * 3 + [(300, 200)]  # decoding the one that is cut off fails
    assert len(list((photos.parent / "drawn").iterdir())) == 4


def test_copies_have_the_pixels_of_images_drawn_alone(
    settings: Make, detector: EmotionDetector, photos: Path, tmp_path: Path
) -> None:
    records = _annotate(settings, photos, detector)
    faces = {name: len(record.get("faces", [])) for name, record in records.items()}
    assert faces == {"a.jpg": 1, "b.png": 1, "c.jpg": 0, "d.jpg": 1, "e.webp": 0}
    for name in faces.keys() - {"c.jpg"}:
        alone = _drawn_alone(detector, photos / name, tmp_path / name)
        assert (tmp_path / "drawn" / name).read_bytes() == alone, name
        assert records[name]["faces"] == detector.detect(photos / name).as_dict()["faces"]


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_large_image_is_drawn_at_its_full_size(
    settings: Make,
    detector: EmotionDetector,
    tmp_path: Path,
    decoded: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    mode: str,
) -> None:
    monkeypatch.setattr(opening, "MAX_PIXELS", 10_000)
    monkeypatch.setattr(opening, "REDUCED_SIDE", 128)
    (tmp_path / "photos").mkdir()
    path = tmp_path / "photos" / f"large.{suffix}"
    with Image.open(PORTRAIT) as portrait:
        portrait.convert(mode).save(path)
    (record,) = _annotate(settings, path.parent, detector).values()
    assert len(record["faces"]) == 1
    # a JPEG is decoded at a reduced size for detection, and once at its full size
    assert decoded == [(128, 128), (512, 512)][suffix == "png" :]
    alone = _drawn_alone(detector, path, tmp_path / path.name)
    assert (tmp_path / "drawn" / path.name).read_bytes() == alone


@pytest.mark.parametrize(("held", "most"), [(0, 0), (100_000, 1), (10**6, 3)])
@pytest.mark.parametrize("crops", [False, True])
def test_no_more_pixels_are_held_than_allowed(
    settings: Make,
    detector: EmotionDetector,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    held: int,
    most: int,
    crops: bool,
) -> None:
    monkeypatch.setattr(classify, "HELD_PIXELS", held)
    pixels: list[weakref.ref[np.ndarray]] = []
    alive: list[int] = []

    def load(*arguments: Any, **options: Any) -> Any:
        alive.append(sum(one() is not None for one in pixels))
        loaded = load_image(*arguments, **options)
        pixels.append(weakref.ref(loaded.pixels))
        return loaded

    monkeypatch.setattr(classify if crops else detection, "load_image", load)
    _annotate(settings, photos, detector, crops)
    assert max(alive) == most
    assert len(alive) == 5


def test_on_a_gpu_images_are_still_decoded_in_order(
    settings: Make, detector: EmotionDetector, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = _annotate(settings, photos, detector)
    copies = {path.name: path.read_bytes() for path in (photos.parent / "drawn").iterdir()}
    monkeypatch.setattr(Device, "is_cpu", False)  # the sessions are open already
    assert _annotate(settings, photos, detector) == alone
    assert {p.name: p.read_bytes() for p in (photos.parent / "drawn").iterdir()} == copies
