"""Words that must not come back: the field has others (docs/glossary.md explains ours).

``WORDS`` says what to write instead. To check more files, add them to ``PLACES``.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PLACES = (
    *("README.md", "CONTRIBUTING.md", "USE_POLICY.md", "benchmarks/README.md"),
    *("docs/*.md", "docs/api/*.md"),
)
"""Files whose prose is checked, as patterns below the root."""

GENERATED = {
    "docs/model-card.md": "src/emotion_detection/evaluation/card.py has the words",
}
"""Files that are left out, because their words stand elsewhere."""

WORDS = {
    r"pictures?": "image",
    r"photographs?": "image, or photo",
    r"figures? (?:of|on|for|about|quoted|in)|(?:all|every|the|these) figures?|figures:": "metrics",
    r"looked|(?:one|first|second|closer|close|larger) looks?": "detection, pass",
    r"(?:faces?|crops?|expressions?) (?:is|are|was|were) read|reads? expressions?": "classify",
    r"(?:called|named) (?:so|most|rightly|wrongly|neutral|otherwise)": "predicted; correct",
    r"sureness|surest|(?:too|how|less|more) sure|sure of it": "confidence, overconfident",
    r"spoil(?:s|ed|t|ing)?": "corrupt",
    r"mirrored too": "flip TTA",
    r"(?:no|other|exact|without|near) copies": "duplicates",
    r"cop(?:y|ies) of (?:\w+ )?(?:faces?|images?)": "duplicates",
    r"drawn (?:\w+ )?(?:faces?|images?|data)|draws? itself": "synthetic faces",
    r"(?:is|are|was|were) drawn (?:at random|from)": "sampled",
    r"(?:vote|the|a|as|their|its) shares?|shares? of": "fraction, proportion",
    r"step size|pulls? (?:of|towards)": "learning rate, weight decay",
    r"pupils?": "student",
    r"raters' (?:own )?reliability": "inter-rater reliability",
    r"wanted": "target",
    r"heard|borne|never met": "measured, received, affected",
    r"verbs?": "command",
    r"(?:the )?seed's (?:network|CNN)": "the baseline CNN",
    r"telephones?": "phone",
    r"for real|its end$": "deployment, graceful shutdown",
    r"mend(?:s|ed|ing)?": "fix",
    r"(?:written|made|kept|is|are) whole|whole or not at all": "complete, atomic",
    r"at once": "immediately, at the same time",
    r"by heart": "overfit",
    r"least (?:score|confidence|size)": "minimum score, confidence, size",
    r"working size": "detection size",
    r"false finds?": "false positives",
}
"""Regular expressions of words and phrases, and what the field says."""

ALLOWED = (
    r"\bmirror images?\b",
    r"\bPhotograph: (?=\w)",  # the credit of an image
    r"\bSay “unsure”",  # a switch of the page
)
"""Phrases that are right although a word is in them."""


def _prose(text: str) -> str:
    """Blank what is no prose, and keep the lines: code, but not its comments; links' targets."""

    def comments(block: re.Match[str]) -> str:
        return "\n".join(
            line.partition("# ")[2] if "# " in line else "" for line in block[0].split("\n")
        )

    text = re.sub(r"^```.*?^```", comments, text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"``.+?``|`[^`]*`", _blank, text)
    text = re.sub(r"\]\([^)]*\)|<!--.*?-->|<[^>\n]+>", _blank, text, flags=re.DOTALL)
    for allowed in ALLOWED:
        text = re.sub(allowed, _blank, text)
    return text


def _blank(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n") or "·"


def _find(text: str) -> list[str]:
    """Return ``line: words (instead)`` of each hit; a phrase may go over the end of a line."""
    prose = _prose(text)
    hits = []
    for words, instead in WORDS.items():
        pattern = rf"\b(?:{words})(?!\w)".replace(" ", r"\s+")
        for hit in re.finditer(pattern, prose, re.IGNORECASE | re.MULTILINE):
            line = prose.count("\n", 0, hit.start()) + 1
            hits.append(f"{line}: {' '.join(hit[0].split())} ({instead})")
    return hits


def _files() -> list[str]:
    found = {path.relative_to(ROOT).as_posix() for place in PLACES for path in ROOT.glob(place)}
    return sorted(found - GENERATED.keys())


@pytest.mark.parametrize("name", _files())
def test_the_words_are_the_fields(name: str) -> None:
    assert _find((ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("Two pictures.", ["1: pictures (image)"]),
        ("The mirror image of an image.", []),
        ("One\nfine face, spoilt", ["2: spoilt (corrupt)"]),
        ("faces drawn thin; a drawn\nface", ["1: drawn face (synthetic faces)"]),
        ("`--max_pictures`, ``emotion_pictures_total``", []),
        ("```sh\npicture=1  # two pictures\n```\nhere", ["2: pictures (image)"]),
        ("[photo](picture.md) <img alt=picture>", []),
        ("two faces that share a label set", []),
    ],
)
def test_hits_are_found_in_prose_alone(text: str, hits: list[str]) -> None:
    assert _find(text) == hits


@pytest.mark.parametrize("place", PLACES)
def test_every_place_has_files(place: str) -> None:
    assert list(ROOT.glob(place))


def test_files_that_are_left_out_are_there() -> None:
    assert [name for name in GENERATED if not (ROOT / name).is_file()] == []
