"""The benchmark of ways to find faces: equal images for all, faces counted where they are."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from emotion_detection.data.synthetic import make_synthetic_faces

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def ways(load_benchmark: Callable[[str], ModuleType]) -> Any:
    return load_benchmark("inference.detector_comparison")


@pytest.fixture(scope="module")
def finders(ways: Any) -> Any:
    return sys.modules["benchmarks.inference.detector_variants"]


@pytest.fixture(scope="module")
def crops() -> Any:
    return make_synthetic_faces(7, seed=3).faces


@pytest.mark.parametrize("name", ["pasted", "small", "filling", "empty"])
def test_a_set_is_the_same_every_time(finders: Any, crops: Any, name: str) -> None:
    first, again = (list(finders.pictures(crops, name, 0)) for _ in range(2))
    assert len(first) == len(crops[:: finders.SETS[name]])
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one[1:] == other[1:]
        height, width = one.pixels.shape[:2]
        assert (0 < one.x < width and 0 < one.y < height) == (name != "empty")


def test_figures_count_what_is_lost_and_gained(ways: Any) -> None:
    own = np.array([True, True, False, False]), 1
    other = np.array([True, False, True, True]), 2
    found = {name: {ways.USED: own, "other": other} for name in ("pasted", "empty")}
    told = ways.told(found, "other")
    assert told["empty"] == {"pictures": 4, "false_finds": 2}
    pasted = told["pasted"]
    assert (pasted["missed"], pasted["lost"], pasted["gained"]) == (0.25, 1, 2)
    low, high = pasted["missed_ci95"]
    assert low < 0.25 < high
    assert ways.told(found, ways.USED)["pasted"]["lost"] == 0


@pytest.mark.release
@pytest.mark.slow
def test_all_passes_together_are_what_is_used(ways: Any, finders: Any, crops: Any) -> None:
    way = finders.Way(640, finders_model(ways))
    finder = finders.Finder(way)
    used = 0
    for name in ("pasted", "filling"):
        for image in finders.pictures(crops, name, 0):
            faces = finder.faces(image.pixels)
            assert finder.by("all three") == faces
            first = finder.looks.get("first")
            if first is not None and not first[0]:
                assert set(finder.looks) == {"first", "close", "larger"}
                assert finder.by("first alone") == []
            used += len(faces)
    assert used


def finders_model(ways: Any) -> Path:
    model: Path = ways.floats()
    return model


@pytest.mark.parametrize("words", [["--faces", "0"], ["--rounds", "-1"], ["--data", "nowhere"]])
def test_bad_usage_is_one_line(
    ways: Any,
    words: list[str],
    get_exit_code: Callable[..., object],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    out = tmp_path / "ways.json"
    words = ["--data", "nowhere", *words, "--out", str(out)]
    assert get_exit_code(ways.main, words) == 2
    assert words[-3] in capsys.readouterr().err
    assert not out.exists()


def test_the_way_that_was_used_is_the_one_measured(ways: Any, finders: Any) -> None:
    from emotion_detection.inference.face_detector import DETECTION_SIZE

    former = finders.FORMER_THRESHOLD
    result = json.loads((ROOT / "docs/results/detector_ways.json").read_text("utf-8"))
    assert (result["used"], result["threshold"]) == (str(DETECTION_SIZE), former)
    own = result["ways"][result["used"]]
    assert own["pasted"]["missed"] <= 0.03
    assert result["looks"]["all three"] == own
