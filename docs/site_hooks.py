"""Hooks of mkdocs: pages and files of the repository that lie outside ``docs/``.

Pages link to them relative to the repository (``../USE_POLICY.md``), so that the links work where
the repository is browsed. The site takes copies, and the links lead to these.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
COPIED = {
    "../USE_POLICY.md": "USE_POLICY.md",
    "LICENSE": "LICENSE",
    "../src/emotion_detection/pretrained/record.json": "record.json",
}
"""What each link outside ``docs/`` becomes."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that are copied."""
    for link, name in COPIED.items():
        content = (ROOT / link.removeprefix("../")).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Point links at the copies, and links to ``../docs/`` at the site itself."""
    for link, name in COPIED.items():
        markdown = markdown.replace(f"]({link})", f"]({name})")
    return re.sub(r"\]\((?:\.\./)?docs/", "](", markdown)
