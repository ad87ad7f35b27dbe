"""The documentation: links resolve; the site builds strictly and loads nothing from other hosts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emotion_detection.cli import main

ROOT = Path(__file__).resolve().parents[1]

PAGES = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "USE_POLICY.md"),
    *("benchmarks/README.md", "data/README.md"),
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))),
)
BUILT = "src/emotion_detection/serving/page"
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")


def _anchors(page: Path) -> set[str]:
    """Return the anchors that headings get, in the site and where the repository is browsed."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    headings = (re.sub(r"[^\w\s-]", "", one).strip() for one in re.findall(r"(?m)^#+ (.+)$", text))
    return {heading.lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    broken = []
    for place, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / place) if place else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(f"{place}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("name", [page for page in PAGES if page != "CHANGELOG.md"])
def test_files_of_the_repository_that_are_named_are_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    kinds = "tests|benchmarks|web|examples|src"
    # what is built is not there in every checkout
    places = set(re.findall(rf"`((?:{kinds})/[\w/.-]+?)/?`", text)) - {BUILT}
    assert [place for place in sorted(places) if not (ROOT / place).exists()] == []


def test_contributing_names_files_and_objects_that_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = ROOT / "src/emotion_detection"
    names = set(re.findall(r"`(?:…/)?([\w/]+(?:\.(?:py|md|yaml)|/))`", text))
    assert len(names) > 25
    places = [name for name in sorted(names) if "NAME" not in name]
    assert [n for n in places if not (ROOT / n).exists() and not (code / n).exists()] == []
    files = [*code.rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py"), ROOT / "tests/conftest.py"]
    words = {
        word for path in files for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))
    }
    objects = set(re.findall(r"`(_?[A-Za-z]\w*)`", text)) - {"head", "real_data", "release"}
    assert sorted(objects - words) == []


COMMANDS = (
    *("predict", "explain", "train", "test", "report", "export", "serve"),
    *(f"data {what}" for what in ("info", "check", "crop", "audit")),
)
OTHERS = {
    *("--array", "--cpus", "--cpus-per-task", "--dependency", "--gpus-per-node", "--head"),  # Slurm
    *("--job-name", "--mem", "--nodes", "--ntasks-per-node", "--parsable", "--requeue", "--time"),
    *("--wrap", "--nnodes", "--nproc-per-node", "--rdzv-backend", "--rdzv-endpoint"),  # torchrun
    *("--disable-usage-stats", "--num-gpus"),  # Ray
    *("--cap-drop", "--memory", "--read-only"),  # Docker
    *("--now", "--data-binary", "--index-url", "--logdir"),  # systemctl, curl, pip, TensorBoard
    *("--kills", "--only", "--share", "--picture", "--out"),  # benchmarks
    *("--place", "--teachers", "--trial"),  # make reproduce
    "--backend-store-uri",  # MLflow's
    *("--batch-size", "--batch", "--imgsz", "--lr"),  # names of other tools that are understood
    "--version",
}
"""Options in docs that are not of a command of this project."""


def test_options_in_docs_are_those_of_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            main([*command.split(), "--help"])
    known = set(re.findall(r"--[a-z][a-z_]*", capsys.readouterr().out)) | OTHERS
    unknown = {}
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        # records of what was run in the past may have the names of that time
        text = re.sub(
            r"<!-- results: ([\w-]+) -->.*?<!-- end of results: \1 -->", "", text, flags=re.S
        )
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z_-]*", text))
        if page.name != "model-card.md" and options - known:
            unknown[page.name] = sorted(options - known)
    assert unknown == {}


@pytest.mark.slow
def test_the_site_builds_and_loads_nothing_from_other_hosts(tmp_path: Path) -> None:
    # SITE names the folder of a site that `make docs` has just built, as strictly
    site = ROOT / os.environ["SITE"] if "SITE" in os.environ else tmp_path
    if site == tmp_path:
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    pages = list(site.rglob("*.html"))
    assert {"index.html", "faq.html", "detecting.html"} <= {page.name for page in pages}
    tags = r"<(?:script|img|link rel=\"(?:stylesheet|preload|icon)\")"
    loaded = tags + r"[^>]+(?:src|href)=\"(https?:[^\"]*)"
    found = {page.name: re.findall(loaded, page.read_text(encoding="utf-8")) for page in pages}
    assert {name: links for name, links in found.items() if links} == {}
    assert "detect_many" in (site / "api" / "detecting.html").read_text(encoding="utf-8")
    api = [path.read_text(encoding="utf-8") for path in (site / "api").glob("*.html")]
    assert any("&gt;&gt;&gt; " in page for page in api)
    assert not any("<blockquote" in page for page in api)  # what Markdown makes of bare examples
