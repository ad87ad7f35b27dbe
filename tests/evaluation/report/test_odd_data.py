"""Reports on data that is not as usual: classes without faces, names in any script."""

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_detection.evaluation.report import ReportRequest, open_test, write_report

Make = Callable[..., Any]


def _page(place: Path) -> str:
    models = [open_test(str(place), ReportRequest())]
    return write_report(models, place / "out", "emotion report").path.read_text(encoding="utf-8")


def test_a_class_without_faces_is_not_called_the_worst(tmp_path: Path, write_tested: Make) -> None:
    truth = np.arange(60) % 2
    called = np.where(np.arange(60) < 20, 1 - truth, truth)
    called[0] = 0
    page = _page(write_tested(tmp_path / "t", np.eye(3, dtype=np.float32)[called], truth, "abc"))
    found = re.search(r"Highest recall: (\w); lowest: (\w)\.", page)
    assert found
    assert set(found.groups()) == {"a", "b"}


@pytest.mark.parametrize("names", [("a", "b", "c"), ("怒り", "$\\frac$", "😀<b>")])
def test_faces_of_one_class_and_names_in_any_script_are_reported_on(
    tmp_path: Path, some_scores: Make, write_tested: Make, names: tuple[str, ...]
) -> None:
    scores, _ = some_scores(40, 3)
    page = _page(write_tested(tmp_path / "t", scores, np.zeros(40, np.int64), names))
    assert "Highest recall" not in page
    assert page.count("<svg") > 4


def test_a_command_that_is_named_can_be_pasted(
    tmp_path: Path, some_scores: Make, write_tested: Make
) -> None:
    data = {"source": "my faces/it's", "label_set": "own", "hash": "0"}
    page = _page(write_tested(tmp_path / "t", *some_scores(40), data=data))
    assert "it's" not in page
    command = "emotion data audit 'my faces/it'\"'\"'s' --out"
    assert command in html.unescape(page)


def test_what_a_file_of_groups_leaves_open_is_reported(
    tmp_path: Path, some_scores: Make, write_tested: Make
) -> None:
    place = write_tested(tmp_path / "t", *some_scores(240))
    people = [
        f"face-{row:05d}.png,{'one' if row < 100 else 'many'},{row // 50}" for row in range(230)
    ]
    (tmp_path / "groups.csv").write_text(
        "\n".join(["file,age,identity", *people, "gone.png,one,1"])
    )
    models = [open_test(str(place), ReportRequest())]
    made = write_report(models, tmp_path / "out", "x", groups=tmp_path / "groups.csv")
    page = made.path.read_text(encoding="utf-8")
    assert "Of 10 faces the file names no group." in page
    assert "Names in it that no face here has: 1." in page
    assert (
        "Fewer than 50 faces, or of fewer than 10 people, so no metrics: many (130), one (100)."
        in page
    )
    assert "No group has enough faces." in page


@pytest.mark.slow
def test_where_people_are_known_intervals_are_over_them(
    tmp_path: Path, some_scores: Make, write_tested: Make
) -> None:
    scores, truth = some_scores(300)
    scores[150:] = scores[:150]  # each person has two faces, and they are alike
    truth[150:] = truth[:150]
    places = [
        write_tested(tmp_path / name, own, truth)
        for name, own in (("one", scores), ("two", np.roll(scores, 1, axis=1)))
    ]
    rows = [f"face-{row:05d}.png,all,{row % 150}" for row in range(300)]
    (tmp_path / "groups.csv").write_text("\n".join(["file,age,identity", *rows]))
    models = [open_test(str(place), ReportRequest()) for place in places]
    known = write_report(models, tmp_path / "a", "x", groups=tmp_path / "groups.csv")
    over_faces = write_report(models, tmp_path / "b", "x").facts["comparisons"][0]["accuracy"]
    gap, own = (known.facts["comparisons"][0]["accuracy"], known.facts["models"][0]["over_people"])
    assert gap["value"] == over_faces["value"]
    assert gap["clusters"] == own["clusters"] == 150
    wider = (gap["high"] - gap["low"]) / (over_faces["high"] - over_faces["low"])
    assert wider == pytest.approx(2**0.5, rel=0.1)
    assert own["value"] == pytest.approx(models[0].test.right.mean())
    page = known.path.read_text(encoding="utf-8")
    assert "Drawing whole people, 150 of them" in page
    assert "interval, over 150 people; proportions" in page


def test_an_option_is_named_once(tmp_path: Path, some_scores: Make, write_tested: Make) -> None:
    data = {"source": "f", "label_set": "fer2013", "hash": "0"}
    command = "emotion test --model 'a b' --data f --labels fer2013 --split test"
    changes = {"data": data, "command": command}
    page = html.unescape(_page(write_tested(tmp_path / "t", *some_scores(40), **changes)))
    begun = "emotion test --model 'a b' --data f"
    assert f"{begun} --split test --labels ferplus<" in page
    # the test lies where its command alone would not put it, nor look for others
    place = tmp_path / "t"
    assert f"{begun} --labels fer2013 --split validation --out {place}-validation<" in page
    assert f"{begun} --labels fer2013 --split test --corruptions --out {place}<" in page
