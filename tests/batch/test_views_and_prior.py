"""Views and prior in folders: one process, several and Ray say what the detector says."""

import importlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection.batch.classify import Settings
from emotion_detection.batch.local_engine import run_here, run_pool
from emotion_detection.cli import main
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.inference import EmotionDetector
from emotion_detection.postprocessing import Prior

Make = Callable[..., Settings]
Way = tuple[int | None, Prior, str | None, bool]

WAYS: list[Way] = [
    (None, "balanced", None, False),
    (1, "balanced", "fer2013", True),
    (2, "natural", "fer2013", False),
    (2, "balanced", None, True),
    (4, "natural", None, True),
    (4, "balanced", "fer2013", False),
]
"""Views, prior, label set, and whether the images are crops: pairwise."""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of four images with a drawn face each."""
    folder = tmp_path_factory.mktemp("photographs")
    names = []
    for number, face in enumerate(make_synthetic_faces(4, seed=3).faces):
        canvas = Image.new("L", (320, 240), 128)
        canvas.paste(Image.fromarray(face).resize((130, 130)), (40 + 30 * number, 60))
        canvas.save(folder / f"{number}.png")
        names.append(str(folder / f"{number}.png"))
    return names


def _scores(answers: Any) -> dict[str, list[float]]:
    """Return the scores of the only face of each image, by its name."""
    found = {}
    for _, lines in answers:
        for record in map(json.loads, lines):
            (face,) = record["faces"]
            found[record["source"]] = list(face["scores"].values())
    return found


def _wanted(way: Way, names: list[str]) -> dict[str, list[float]]:
    views, prior, labels, crops = way
    # detection as the settings of these tests have it
    detector = EmotionDetector(
        threads=1, views=views, prior=prior, labels=labels, min_confidence=0.5
    )
    if crops:
        faces = np.stack([np.asarray(Image.open(name)) for name in names])
        return dict(zip(names, detector.classify(faces).tolist(), strict=True))
    results = {name: detector.detect(name) for name in names}
    assert all(len(result) == 1 for result in results.values())
    return {name: list(result[0].scores.values()) for name, result in results.items()}


def _same(found: dict[str, list[float]], wanted: dict[str, list[float]]) -> None:
    assert sorted(found) == sorted(wanted)
    for name, scores in wanted.items():
        assert found[name] == pytest.approx(scores, abs=2e-4), name


def _settings(way: Way, settings: Make) -> Settings:
    views, prior, labels, whole = way
    return settings(views=views, prior=prior, labels=labels, crops=whole)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_one_process_says_what_the_detector_says(
    pull_tasks: Any, way: Way, settings: Make, crops: list[str], photographs: list[str]
) -> None:
    names = crops[:6] if way[3] else photographs
    found = _scores(run_here(pull_tasks(names, 3), _settings(way, settings)))
    _same(found, _wanted(way, names))
    # the options are not without effect
    plain = _wanted((1, "natural", way[2], way[3]), names)
    assert max(np.abs(np.subtract(found[name], plain[name])).max() for name in names) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("way", [WAYS[3], WAYS[5]], ids=str)
def test_several_workers_say_what_the_detector_says(
    pull_tasks: Any, way: Way, settings: Make, crops: list[str], photographs: list[str]
) -> None:
    names = crops[:6] if way[3] else photographs
    found = _scores(run_pool(pull_tasks(names, 2), _settings(way, settings), 2))
    _same(found, _wanted(way, names))


@pytest.fixture
def ray_address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("ray", reason="ray is not installed: pip install '.[ray]'")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    cluster = importlib.import_module("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1}
    )
    yield cluster.address
    with suppress(Exception):
        cluster.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_says_what_the_detector_says(
    pull_tasks: Any, ray_address: str, settings: Make, crops: list[str], photographs: list[str]
) -> None:
    from emotion_detection.batch.ray_engine import run_on_ray

    for way, names in ((WAYS[3], crops[:6]), (WAYS[5], photographs)):
        options = _settings(way, settings)
        found = _scores(run_on_ray(pull_tasks(names, 2), options, ray_address))
        _same(found, _wanted(way, names))


def test_the_command_hands_them_on(
    crops: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "faces.jsonl"
    words = ["--crops", "--views", "2", "--prior", "balanced", "--device", "cpu"]
    assert main(["predict", *crops[:3], *words, "--out", str(out)]) == 0
    records = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    found = {one["source"]: list(one["faces"][0]["scores"].values()) for one in records}
    _same(found, _wanted((2, "balanced", None, True), crops[:3]))


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--views", "3"], "views 3: must be one of 1, 2, 4"),
        (["--views", "many"], "--views many: must be a whole number"),
        (["--prior", "uniform"], "prior 'uniform': must be one of natural, balanced"),
    ],
)
def test_other_values_are_one_line(
    words: list[str],
    part: str,
    crops: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "faces.jsonl"
    asked = ["predict", os.path.dirname(crops[0]), "--crops", "--out", str(out), *words]
    assert main(asked) == 2
    told = capsys.readouterr()
    assert part in told.err
    assert told.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
