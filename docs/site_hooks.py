"""Hooks of mkdocs: pages and files of the repository that lie outside ``docs/``.

Pages link to them relative to the repository (``../USE_POLICY.md``), so that the links also work
where the repository is browsed. The site has copies of them, and its links lead to the copies.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
COPIED = {
    "../USE_POLICY.md": "USE_POLICY.md",
    "../CONTRIBUTING.md": "CONTRIBUTING.md",
    "../CHANGELOG.md": "CHANGELOG.md",
    "../benchmarks/README.md": "benchmarks.md",
    "LICENSE": "LICENSE",
    "../src/emotion_detection/pretrained/record.json": "record.json",
}
"""Links to files outside ``docs/``, and the names of their copies in the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the copies to the site."""
    for link, name in COPIED.items():
        content = (ROOT / link.removeprefix("../")).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Point links at the copies, and links to ``../docs/`` at the site itself."""
    for link, name in COPIED.items():
        markdown = markdown.replace(f"]({link})", f"]({name})")
    return re.sub(r"\]\((?:\.\./)?docs/", "](", markdown)
