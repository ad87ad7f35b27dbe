"""The templates: complete, escaping, and strict about what they are given."""

import html.parser
import re
from collections import defaultdict
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from emotion_detection.errors import InputError
from emotion_detection.evaluation.plot_style import SvgPlot
from emotion_detection.evaluation.report import ReportRequest, open_test, render, write_report
from emotion_detection.evaluation.report.facts import compute_report_facts

Make = Callable[..., Any]
FOLDER = Path(str(resources.files("emotion_detection.evaluation.report"))) / "templates"
NAMES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.j2"))
HOSTILE = (
    "a|<script>alert('x')</script>",
    "\"><img src=x onerror='alert(1)'>",
    "{{ 7 * 7 }}{% raw %}&amp;</style>",
)
PLOT = SvgPlot("plot", 4, 3, "4 3", "<g/>")


class Text(html.parser.HTMLParser):
    """Collects tags and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def facts(
    tmp_path_factory: pytest.TempPathFactory,
    some_scores: Make,
    some_votes: Make,
    write_tested: Make,
) -> dict[str, Any]:
    """Facts of two models whose classes, groups, files, data and commands mean ill."""
    folder = tmp_path_factory.mktemp("render")
    scores, truth = some_scores(120, 3)
    evil = {
        "files": [f"{row}{HOSTILE[1]}" for row in range(120)],
        "shares": some_votes(truth, 3),
        "data": {"source": HOSTILE[0], "label_set": "ferplus", "hash": HOSTILE[1]},
        "command": "emotion test --model '<b>'",
        "code": {"version": HOSTILE[0], "commit": HOSTILE[2], "changed": True},
    }
    places = [
        write_tested(folder / name, own, truth, HOSTILE, **evil)
        for name, own in (("<i>one", scores), ("<i>two", scores[:, ::-1].copy()))
    ]
    cells = [HOSTILE[row % 2].replace('"', '""') for row in range(120)]
    rows = [f'"{row}{HOSTILE[1]}"'.replace('"', '""')[1:-1] for row in range(120)]
    lines = [f'{name},"{cell}"' for name, cell in zip(rows, cells, strict=True)]
    (folder / "groups.csv").write_text("\n".join(["file,<u>age", *lines]))
    models = [open_test(str(place), ReportRequest()) for place in places]
    return compute_report_facts(models, "emotion report <x>", 0.9, folder / "groups.csv")


def _render(facts: dict[str, Any]) -> str:
    return render.render_report(facts, defaultdict(lambda: PLOT), None)


@pytest.mark.parametrize("name", NAMES)
def test_every_template_of_a_page_escapes(name: str) -> None:
    environment = render._environment()
    escapes = environment.autoescape
    assert callable(escapes)
    assert escapes(name) == name.endswith(".html.j2")
    environment.get_template(name)
    # a drawing of matplotlib, which escapes text itself, and the style sheet
    text = (FOLDER / name).read_text(encoding="utf-8")
    allowed = {"macros.html.j2": ["plot.drawing|safe"], "report.html.j2": ["style|safe"]}
    assert re.findall(r"[\w.]+\s*\|\s*safe\b", text) == allowed.get(name, [])
    assert "autoescape" not in text


def test_names_from_files_stay_text_wherever_they_stand(facts: dict[str, Any]) -> None:
    page = _render(facts)
    found = Text(page)
    assert not {"script", "img", "i", "u"} & found.tags
    assert not any(name.startswith("on") for name in found.attributes)
    text = "".join(found.text)
    for name in (*HOSTILE, "<u>age", "emotion report <x>", "emotion test --model '<b>'"):
        assert name in text


def test_a_fact_that_is_missing_is_no_empty_place(facts: dict[str, Any]) -> None:
    first = {name: value for name, value in facts["models"][0].items() if name != "coverage"}
    with pytest.raises(UndefinedError, match="coverage"):
        _render(facts | {"models": [first, *facts["models"][1:]]})


@pytest.mark.parametrize(
    "changes", [{"temperature": ["<b>"]}, {"command": "emotion 'test"}, {"seconds": "long"}]
)
def test_a_test_that_was_edited_by_hand_is_named(
    tmp_path: Path,
    some_scores: Make,
    write_tested: Make,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    monkeypatch.setattr(
        "emotion_detection.evaluation.plot_style.ReportPlots.add",
        lambda plots, name, figure: plots.drawings.update({name: PLOT}),
    )
    place = write_tested(tmp_path / "odd-test", *some_scores(60), **changes)
    with pytest.raises(InputError, match="odd-test: a file of this test is damaged"):
        write_report([open_test(str(place), ReportRequest())], tmp_path / "out", "x")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("motion_blur", "motion_blur"),
        ("a|b\n c", r"a\|b c"),
        ("<script>[x](y)`z`\\", r"\<script>\[x](y)\`z\`" + "\\\\"),
    ],
)
def test_names_are_escaped_for_markdown(name: str, expected: str) -> None:
    assert render.escape_markdown(name) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [("emotion test", "`emotion test`"), ("a `b``\nc", "``` a `b`` c ```")],
)
def test_commands_are_code_whatever_is_in_them(command: str, expected: str) -> None:
    assert render.quote_code(command) == expected
