"""The page: whole, safe, and the same figures as in the files beside it."""

import html.parser
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emotion_detection.errors import InputError
from emotion_detection.evaluation.report import ReportRequest, open_test, write_report
from emotion_detection.evaluation.report.facts import read_audit
from emotion_detection.labels import FERPLUS

Make = Callable[..., Any]
EVIL = "</script><img src=x onerror=alert(1)>&\"'.png"
CORRUPTIONS: dict[str, Any] = {
    "clean": {"accuracy": 0.8, "ci95": [0.7, 0.9], "n": 300},
    "severities": [1, 2, 3, 4, 5],
    "corruptions": {
        name: {"accuracy": [0.7, 0.6, 0.5, 0.4, low], "ci95": [[0.3, 0.8]] * 5}
        for name, low in (("noise", 0.3), ("motion_blur", 0.1))
    },
    "mean_corruption_accuracy": 0.48,
    "drop": {"value": 0.32, "ci95": [0.3, 0.35]},
    "model": "models/nowhere/best.ckpt",
    "split": "test",
    "tta": False,
    "data": {"source": "nowhere", "label_set": "ferplus", "hash": "0" * 64},
}
AUDIT = {
    "command": "emotion data audit nowhere",
    "data": {"source": "nowhere", "hash": "1" * 64},
    "splits": ["train", "validation"],
    "faces": 1234,
    "out_of_fold": {"accuracy": 0.75, "accuracy_ci95": [0.7, 0.8], "folds": 5},
    "listed": 17,
    "reasons": {
        "label": {"meaning": "likely <i>wrong labels", "found": 40, "listed": 17},
        "outlier": {"meaning": "unlike all others", "found": 3, "listed": 0},
    },
}
VOID = {"meta", "link", "img", "br", "input", "path", "use", "rect", "line"}


class Reader(html.parser.HTMLParser):
    """Collects elements and complains where tags do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    some_scores: Make,
    some_votes: Make,
    write_tested: Make,
) -> Path:
    """A report of two models with everything that there is to say, and names that mean ill."""
    place = tmp_path_factory.mktemp("page")
    scores, truth = some_scores(300, 8)
    intensity = scores[:, 0].copy()
    more = {
        "files": [EVIL, *(f"{row}.png" for row in range(1, 300))],
        "shares": some_votes(truth, 8),
        "intensity": intensity,
        "wanted": intensity**2,
    }
    write_tested(place / "<b>one</b>", scores, truth, FERPLUS, **more)
    blurred = (scores + np.roll(scores, 1, axis=1)) / 2
    write_tested(place / "two", blurred, truth, FERPLUS, **more)
    metrics = json.loads((place / "<b>one</b>" / "metrics.json").read_text())
    clean = CORRUPTIONS["clean"] | {"accuracy": metrics["accuracy"]}
    spoilt = json.dumps(CORRUPTIONS | {"clean": clean})
    (place / "<b>one</b>" / "corruptions.json").write_text(spoilt)
    lines = [
        f'"{name}",{"<i>old" if row % 2 else "young"}' for row, name in enumerate(more["files"])
    ]
    quoted = [line.replace(EVIL, EVIL.replace('"', '""')) for line in lines]
    (place / "groups.csv").write_text("\n".join(["file,<u>age", *quoted]))
    models = [open_test(str(place / name), ReportRequest()) for name in ("<b>one</b>", "two")]
    (place / "audit.json").write_text(json.dumps(AUDIT))
    Image.new("L", (40, 30)).save(place / "audit.png")
    more = (place / "groups.csv", place / "audit.json")
    write_report(models, place / "out", "emotion report <x>", 0.9, *more)
    return place / "out"


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_tags_match_and_no_id_is_there_twice(read: Reader) -> None:
    ids = [values["id"] for _, values in read.found if "id" in values]
    assert len(ids) > 100
    assert len(set(ids)) == len(ids)


def test_links_and_references_lead_to_something(read: Reader) -> None:
    ids = {values.get("id") for _, values in read.found}
    for tag, values in read.found:
        if tag in ("a", "use"):
            assert str(values["href"]).removeprefix("#") in ids
        if label := values.get("aria-labelledby"):
            assert label in ids


def test_nothing_is_fetched_and_no_script_runs(page: str, read: Reader) -> None:
    for tag, values in read.found:
        assert tag not in ("script", "iframe", "object", "embed", "form")
        assert not any(name.startswith("on") for name in values)
        for name in ("src", "href", "srcset", "data", "action"):
            assert str(values.get(name) or "#").startswith(("#", "data:"))
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert "url(" not in re.sub(r"url\(#", "", page)
    assert "@import" not in page


def test_names_from_files_are_text_and_no_more(page: str, read: Reader) -> None:
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "&lt;b&gt;one" in page
    assert "&lt;u&gt;age" in page
    assert "&lt;i&gt;old" in page
    assert "emotion report &lt;x&gt;" in page
    assert not {"u", "i"} & {tag for tag, _ in read.found}


def test_every_section_has_a_heading_and_a_link(page: str, read: Reader) -> None:
    sections = [values["id"] for tag, values in read.found if tag == "section"]
    assert sections == [
        *("headline", "beside-1", "training", "classes", "sureness", "faces", "intensity"),
        *("robustness", "groups", "data", "methods"),
    ]
    assert re.findall(r'<li><a href="#([\w-]+)">', page) == sections
    assert len(re.findall("<h2", page)) == len(sections)


def test_every_drawing_says_what_it_shows_and_every_table_has_a_caption(
    page: str, read: Reader
) -> None:
    charts = [values for tag, values in read.found if tag == "svg"]
    assert len(charts) >= 9
    assert all(values.get("role") == "img" for values in charts)
    assert page.count("<table>") == page.count("<caption>") > 8
    assert all("alt" in values for tag, values in read.found if tag == "img")


def test_drawings_use_the_page_s_colours_alone(page: str) -> None:
    drawn = " ".join(re.findall(r"<svg.*?</svg>", page, re.S))
    assert re.findall(r"#[0-9a-fA-F]{6}\b", drawn) == []
    used, style = set(re.findall(r"var\(--([\w-]+)\)", page)), page.split("</style>")[0]
    for name in used:
        assert style.count(f"--{name}:") >= (1 if name == "font" else 3)


def test_the_same_figures_stand_beside_as_png(folder: Path, page: str) -> None:
    names = sorted(path.stem for path in (folder / "figures").glob("*.png"))
    assert sorted(re.findall(r'<title id="([\w-]+)-says"', page)) == names
    for name in names:
        with Image.open(folder / "figures" / f"{name}.png") as image:
            assert image.format == "PNG"
            assert min(image.size) > 150


def test_the_page_has_the_numbers_of_the_json(folder: Path, page: str) -> None:
    text = (folder / "report.json").read_text(encoding="utf-8")
    facts = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    first, second = facts["models"]
    for model in (first, second):
        assert f"<b>{100 * model['test']['accuracy']:.1f}&nbsp;%</b>" in page
        for key, name in (("balanced_accuracy", "balanced accuracy"), ("macro_f1", "macro F1")):
            assert f"; {name} {100 * model['test'][key]:.1f}&nbsp;%" in page
    assert f"{100 * first['raters']['value']:.1f}&nbsp;%" in page
    assert '<span class="name">One person</span>' in page
    assert "that does not make it better than people" in page
    assert f"{first['coverage']['chosen']['threshold']:.3f}" in page
    assert "Mean corruption accuracy 48.0&nbsp;%" in page
    assert "Worst: motion blur" in page
    gap = facts["comparisons"][0]["accuracy"]
    assert f"{100 * gap['value']:+.1f}<small>" in page
    for group in first["groups"]["<u>age"]["groups"]:
        assert f"{100 * group['accuracy']['value']:.1f}&nbsp;%<small>" in page
        assert f"{group['ece']:.3f}<small>{group['ece_by_chance']:.3f}</small>" in page
    assert f"is below {first['reliability']['after']['ece_by_chance']:.4f} in 95 %" in page


def test_the_audit_is_shown_with_its_sheet(page: str) -> None:
    assert "likely &lt;i&gt;wrong labels</th><td>40</td><td>17</td>" in page
    assert "1,234 faces of nowhere (train, validation) were judged by 5 networks" in page
    assert "The audit is of other data than was tested" in page
    assert 'class="sheet" src="data:image/png;base64,' in page


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps(AUDIT | {"reasons": 3})])
def test_what_no_audit_wrote_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "audit.json").write_text(content)
    for place in (tmp_path, tmp_path / "audit.json"):
        with pytest.raises(InputError, match=r"audit.json: is no audit.json of 'emotion data aud"):
            read_audit(place)
    with pytest.raises(InputError, match=r"none\.json"):
        read_audit(tmp_path / "none.json")


@pytest.mark.slow
def test_the_same_tests_give_the_same_page(folder: Path, page: str, tmp_path: Path) -> None:
    place = folder.parent
    models = [open_test(str(place / name), ReportRequest()) for name in ("<b>one</b>", "two")]
    more = (place / "groups.csv", place / "audit.json")
    write_report(models, tmp_path, "emotion report <x>", 0.9, *more)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page


def test_what_is_missing_is_reported_with_the_command_that_brings_it(
    tmp_path: Path, some_scores: Make, write_tested: Make
) -> None:
    place = write_tested(tmp_path / "alone-test", *some_scores(80))
    write_report([open_test(str(place), ReportRequest())], tmp_path / "out", "emotion report alone")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for said in (
        "emotion test --model models/nowhere --split test --corruptions",
        "emotion test --model models/nowhere --split validation",
        "emotion report alone --groups FILE.csv",
        "emotion data audit nowhere --out audit",
        "There are no training curves",
        "The data has no votes of raters",
        "The images are not shown",
        "Accuracy without duplicates of training faces: unknown",
        "the data does not tell how often people agree with its labels",
    ):
        assert said in page


def test_tests_of_different_faces_are_not_set_side_by_side(
    tmp_path: Path, some_scores: Make, write_tested: Make
) -> None:
    places = [write_tested(tmp_path / str(n), *some_scores(n)) for n in (60, 70)]
    models = [open_test(str(place), ReportRequest()) for place in places]
    with pytest.raises(InputError, match="cannot be compared"):
        write_report(models, tmp_path / "out", "emotion report")
    assert not (tmp_path / "out").exists()


def test_a_report_that_cannot_be_written_is_named(
    tmp_path: Path, some_scores: Make, write_tested: Make
) -> None:
    model = open_test(str(write_tested(tmp_path / "a", *some_scores(60))), ReportRequest())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="the report cannot be written"):
        write_report([model], tmp_path / "file" / "out", "emotion report")


def test_figures_of_an_earlier_report_do_not_stay(
    folder: Path, tmp_path: Path, some_scores: Make, write_tested: Make
) -> None:
    out = tmp_path / "out"
    shutil.copytree(folder, out)
    (out / "figures" / "mine.png").write_bytes(b"not the report's")
    model = open_test(str(write_tested(tmp_path / "alone", *some_scores(80))), ReportRequest())
    made = write_report([model], out, "emotion report alone")
    names = {path.stem for path in (out / "figures").iterdir()}
    assert (folder / "figures" / "beside-1.png").is_file()
    assert names == {*made.images, "mine"}


def test_the_second_model_s_test_is_told_too(page: str, folder: Path) -> None:
    told = re.search(r"<h3>Compared with: [^<]*two</h3><dl>(.*?)</dl>", page, re.S)
    assert told is not None
    second = json.loads((folder / "report.json").read_text(encoding="utf-8"))["models"][1]
    assert f"<code>{second['test']['command']}</code>" in told[1]
    assert "nowhere, test split" in told[1]
    assert "the majority of FER+" in told[1]


@pytest.mark.parametrize("shipped", [True, False])
def test_missing_curves_are_explained_by_whose_they_are(
    tmp_path: Path, some_scores: Make, write_tested: Make, shipped: bool
) -> None:
    model = "/lib/emotion_detection/pretrained/m.onnx" if shipped else "models/pretrained/best.ckpt"
    place = write_tested(tmp_path / "a", *some_scores(60), model=model)
    made = write_report([open_test(str(place), ReportRequest())], tmp_path / "out", "x")
    page = made.path.read_text(encoding="utf-8")
    assert ("The curves of the shipped model" in page) == shipped
    assert ("they lie in logs/RUN" in page) != shipped
