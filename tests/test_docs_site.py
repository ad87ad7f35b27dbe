"""The documentation as a site: built strictly, so that every link resolves, and by itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_site_builds_and_loads_nothing_from_other_hosts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert {"index.html", "faq.html", "detecting.html"} <= {page.name for page in pages}
    tags = r"<(?:script|img|link rel=\"(?:stylesheet|preload|icon)\")"
    loaded = tags + r"[^>]+(?:src|href)=\"(https?:[^\"]*)"
    found = {page.name: re.findall(loaded, page.read_text(encoding="utf-8")) for page in pages}
    assert {name: links for name, links in found.items() if links} == {}
    assert "detect_many" in (tmp_path / "api" / "detecting.html").read_text(encoding="utf-8")
    api = [path.read_text(encoding="utf-8") for path in (tmp_path / "api").glob("*.html")]
    assert all("&gt;&gt;&gt; " in page and "<blockquote" not in page for page in api)
