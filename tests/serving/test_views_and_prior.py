"""Views and prior over HTTP: the scores that the library gives with the same options."""

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from emotion_detection import EmotionDetector, cli

Encode = Callable[..., bytes]

WAYS = [
    ("1", "balanced", "fer2013"),
    ("2", "natural", "fer2013"),
    ("2", "balanced", "ferplus"),
    ("4", "natural", "ferplus"),
    ("4", "balanced", "fer2013"),
]


def _detector_of_command(words: list[str], patch: pytest.MonkeyPatch) -> EmotionDetector:
    """Return the detector that ``emotion serve`` would serve."""
    made: list[EmotionDetector] = []

    class NoServer:
        accepted = answered = 0
        failed = False

        def run(self, listeners: Any) -> None:
            for one in listeners:
                one.close()

    def make_server(detector: EmotionDetector, *_: Any) -> NoServer:
        made.append(detector)
        return NoServer()

    patch.setattr("emotion_detection.serving.server.make_server", make_server)
    assert cli.main(["serve", "--port", "0", "--device", "cpu", *words]) == 0
    patch.undo()
    return made[0]


def _scores(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.array([list(face["scores"].values()) for face in answer.json()["faces"]])


@pytest.mark.parametrize(("views", "prior", "labels"), WAYS)
def test_answers_are_the_library_s_with_the_same_options(
    serving: Any,
    views: str,
    prior: Any,
    labels: str,
    photograph: np.ndarray,
    crop: np.ndarray,
    encode: Encode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["--views", views, "--prior", prior, "--labels", labels]
    served = _detector_of_command(words, monkeypatch)
    alone = EmotionDetector(threads=1, views=int(views), prior=prior, labels=labels)
    content = encode(photograph)
    with serving(served, workers=1) as running:
        found = _scores(running.post("/v1/predict", content))
        whole = _scores(running.post("/v1/classify", encode(crop)))
        files = [("a", (name, content, "image/png")) for name in ("one.png", "two.png")]
        both = running.form("/v1/predict", files).json()["results"]
    wanted = np.array([list(face.scores.values()) for face in alone.detect(content)])
    assert wanted.shape == (3, len(alone.labels))
    np.testing.assert_allclose(found, wanted, atol=2e-4)
    np.testing.assert_allclose(whole, alone.classify(crop[None]), atol=2e-4)
    for one in both:
        scores = [list(face["scores"].values()) for face in one["faces"]]
        np.testing.assert_allclose(scores, wanted, atol=2e-4)
    # the options are not without effect: one view and the natural prior give other scores
    plain = EmotionDetector(threads=1, views=1, labels=labels).detect(content)
    others = np.array([list(face.scores.values()) for face in plain])
    assert np.abs(found - others).max() > 1e-3


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/classify"])
@pytest.mark.parametrize(
    "query", ["views=3", "views=4", "prior=uniform", "prior=balanced", "views=&prior="]
)
def test_a_request_cannot_choose_them(
    running: Any, crop: np.ndarray, encode: Encode, path: str, query: str
) -> None:
    answer = running.post(f"{path}?{query}", encode(crop))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    detail = answer.json()["detail"]
    name = query.partition("=")[0]
    assert detail.startswith(f"query option '{name}' is unknown; allowed: ")
    assert detail.endswith(f"; 'emotion serve --{name}' sets it for all requests")
    assert "\n" not in detail


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--views", "3"], "views 3: must be one of 1, 2, 4"),
        (["--views", "two"], "--views two: must be a whole number"),
        (["--prior", "uniform"], "prior 'uniform': must be one of natural, balanced"),
    ],
)
def test_other_values_do_not_start_a_server(
    words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["serve", "--port", "0", *words]) == 2
    out, err = capsys.readouterr()
    assert part in err
    assert err.count("\n") == 1
    assert out == ""
