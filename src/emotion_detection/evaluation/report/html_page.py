"""Assemble the page: frame, style sheet and sections, in one self-contained file."""

import re
from collections.abc import Sequence
from importlib import resources
from string import Template

from emotion_detection.evaluation.report import markup

_SECTION = re.compile(r'<section id="([\w-]+)".*?<h2[^>]*>(.*?)</h2>', re.S)


def render_page(title: str, subtitle: str, sections: Sequence[str], footer: str) -> str:
    """Return the complete page.

    Args:
        title: title of the page; escaped here.
        subtitle: subtitle; HTML.
        sections: sections from :func:`.markup.section`.
        footer: HTML.
    """
    folder = resources.files(__package__)
    frame = Template((folder / "template.html").read_text(encoding="utf-8"))
    style = (folder / "style.css").read_text(encoding="utf-8")
    titles = [match for section in sections if (match := _SECTION.match(section))]
    return frame.substitute(
        title=markup.text(title),
        style=style,
        subtitle=subtitle,
        links="".join(f'<li><a href="#{one[1]}">{one[2]}</a></li>' for one in titles),
        sections="\n".join(sections),
        footer=footer,
    )
