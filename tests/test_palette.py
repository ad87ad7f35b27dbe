"""One palette: an emotion has one hue wherever it is shown."""

import colorsys
import re
from importlib import resources

import pytest

from emotion_detection.evaluation.plot_style import style_class_lines
from emotion_detection.labels import EMOTIONS
from emotion_detection.palette import EMOTION_COLOURS, PAPER_SHADES, list_emotion_colours

STYLE = resources.files("emotion_detection.evaluation.report").joinpath("style.css").read_text()
HUES = sorted(EMOTION_COLOURS.keys() - {"neutral"})


def _rgb(shade: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(shade.removeprefix("#")))


def _hue(colour: tuple[int, ...]) -> float:
    """Return the hue in degrees."""
    return 360 * colorsys.rgb_to_hsv(*(band / 255 for band in colour))[0]


def _luminance(colour: tuple[int, ...]) -> float:
    """Return WCAG 2's relative luminance."""
    parts = [band / 255 for band in colour]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_known_emotion_has_a_colour() -> None:
    assert set(EMOTIONS) <= EMOTION_COLOURS.keys() == PAPER_SHADES.keys()


@pytest.mark.parametrize("emotion", HUES)
def test_the_hue_is_the_same_on_images_and_on_paper(emotion: str) -> None:
    slot = list(EMOTION_COLOURS).index(emotion)
    page = [_rgb(shade) for shade in re.findall(rf"--class-{slot}: (#[0-9a-f]{{6}})", STYLE)]
    assert len(page) == 3  # light, dark, print
    for shade in (_rgb(PAPER_SHADES[emotion]), *page):
        difference = abs(_hue(shade) - _hue(EMOTION_COLOURS[emotion]))
        assert min(difference, 360 - difference) < 16


@pytest.mark.parametrize("shade", PAPER_SHADES.values())
def test_lines_on_white_have_contrast(shade: str) -> None:
    assert 1.05 / (_luminance(_rgb(shade)) + 0.05) >= 3


def test_an_emotion_keeps_its_colour_among_other_classes() -> None:
    found = list_emotion_colours(["bored", "sadness"])
    assert found["sadness"] == EMOTION_COLOURS["sadness"]
    styles = style_class_lines(["bored", "sadness"])
    assert styles["sadness"]["color"] == PAPER_SHADES["sadness"]


def test_more_classes_than_colours_differ_by_their_dash() -> None:
    styles = style_class_lines([f"class {number}" for number in range(12)])
    assert len({(style["color"], str(style["linestyle"])) for style in styles.values()}) == 12
