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

PACKAGE = "src/emotion_detection"
"""Folder of the Python files whose strings and comments are checked."""

PAGE = ("web/*.html", "web/src/**/*.js", "web/src/**/*.css")
"""Files of the web page whose text and comments are checked."""

TEMPLATES = "src/emotion_detection/**/*.j2"
"""Templates of the report and the model card, whose text is checked."""

GENERATED = {
    "docs/model-card.md": "card.md.j2 in evaluation/report/templates has the words",
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
    r"\bfor real faces\b",
)
"""Phrases that are right although a word is in them."""

INTERFACES = (
    r"^[\"']pictures?[\"']$",  # fields of forms, reasons of metrics, columns of Parquet, JSON keys
    r"-F picture=@",  # as users of the server type it
    r"^\"photographs\.json\"$",  # a file of the cache
    r"^[\"']wanted[\"']$",  # a key of report.json
    r"^\"sureness\"$",  # the name of a plot's file and of a section
)
"""Strings of the code that others rely on: names of fields, keys and files."""


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


_TOKEN = re.compile(
    r"""(?sx) \# [^\n]*
    | [rbfRBF]{0,2} (?: \"\"\" (?: \\. | [^\\] )*? \"\"\"
        | " (?: \\. | [^"\\\n] )* " | ' (?: \\. | [^'\\\n] )* ' )"""
)
"""A comment or a string of Python; ten times as fast as the standard library's tokens."""


def _read_code(source: str) -> str:
    """Return the prose of a Python file on the lines where it stands.

    Code is left out: also that of f-strings, and the names of arguments in docstrings.
    """
    prose = []
    end = 0
    for token in _TOKEN.finditer(source):
        text = token[0]
        for interface in INTERFACES:
            text = re.sub(interface, _blank, text)
        if re.match(r"[rR]?[fF]", text):
            text = re.sub(r"\{[^{}]*\}", _blank, text)
        text = re.sub(r"^(?:# ?|[rbfRBF]{0,2}[\"']+)|[\"']+$", "", text)
        text = re.sub(r"(?m)^(\s+)\*{0,2}\w+: ", r"\1· ", text)
        prose += ["\n" * source.count("\n", end, token.start()) or " ", text]
        end = token.end()
    return "".join(prose)


def _read_page(source: str, suffix: str) -> str:
    """Return the text of an HTML file, or the comments of a script or style, on their lines."""
    if suffix == ".html":
        return re.sub(r"(?s)<script.*?</script>|<style.*?</style>", _blank, source)
    lines = source.split("\n")
    inside = False
    for place, line in enumerate(lines):
        start = re.search(r"(?:^|\s)//|/\*", line)
        prose = line if inside else line[start.start() :] if start else ""
        inside = (inside or "/*" in prose) and "*/" not in prose
        # names of types, arguments and files
        names = r"@typedef .*|@(?:param|property) (?:\{.*?\} )?[\w.[\]]+|\{[^{}]*\}"
        prose = re.sub(names, "·", prose)
        lines[place] = prose.strip("/* ")
    return "\n".join(lines)


def _read_template(source: str) -> str:
    """Return the text of a template on its lines, with the sentences in its strings."""

    def sentences(code: re.Match[str]) -> str:
        strings = re.sub(r'[^"\n]*("[^"\n]*" ?)?', r"\1", code[0])
        return re.sub(r'"[\w-]+"', "·", strings).replace('"', " ")  # a key, or an alternative

    return re.sub(r"(?s)\{\{.*?\}\}|\{%.*?%\}", sentences, source)


@pytest.mark.parametrize("name", _files())
def test_the_words_are_the_fields(name: str) -> None:
    assert _find((ROOT / name).read_text(encoding="utf-8")) == []


def _modules() -> list[str]:
    paths = (ROOT / PACKAGE).rglob("*.py")
    return sorted({path.parent.relative_to(ROOT).as_posix() for path in paths})


@pytest.mark.parametrize("folder", _modules())
def test_the_words_of_the_code_are_the_fields(folder: str) -> None:
    """Strings and comments: docstrings, messages, help, headings of reports."""
    hits = []
    for path in sorted((ROOT / folder).glob("*.py")):
        source = path.read_text(encoding="utf-8")
        hits += [f"{path.name}:{hit}" for hit in _find(_read_code(source))]
    assert hits == []


@pytest.mark.parametrize("place", PAGE)
def test_the_words_of_the_page_are_the_fields(place: str) -> None:
    hits = [
        f"{path.relative_to(ROOT)}:{hit}"
        for path in sorted(ROOT.glob(place))
        for hit in _find(_read_page(path.read_text(encoding="utf-8"), path.suffix))
    ]
    assert hits == []


def test_the_words_of_the_templates_are_the_fields() -> None:
    """Text and strings: the names of values in ``{{ }}`` and ``{% %}`` are code."""
    paths = sorted(ROOT.glob(TEMPLATES))
    hits = [
        f"{path.name}:{hit}"
        for path in paths
        for hit in _find(_read_template(path.read_text(encoding="utf-8")))
    ]
    assert paths
    assert hits == []


@pytest.mark.parametrize(
    ("source", "hits"),
    [
        ("<p>{{ picture }}</p>\ntwo pictures", ["2: pictures"]),
        ('{{ missing("No pictures. " ~ wanted) }}', ["1: pictures"]),
        ('{% for one in pictures %}{{ one["wanted"] }} is spoilt{% endfor %}', ["1: spoilt"]),
        ("{# The pictures. #}", ["1: pictures"]),
    ],
)
def test_hits_are_found_in_the_text_of_templates_alone(source: str, hits: list[str]) -> None:
    found = _find(_read_template(source))
    assert len(found) == len(hits)
    assert all(one.startswith(hit) for one, hit in zip(found, hits, strict=True))


@pytest.mark.parametrize(
    ("source", "hits"),
    [
        ('x = "two pictures"  # spoilt', ["1: pictures (image)", "1: spoilt (corrupt)"]),
        ('wanted = f"{wanted} of {picture}"', []),
        ('print(f"figures of all {len(x)} spoilt")', ["1: figures of", "1: spoilt"]),
        ('"""Do.\n\n    Args:\n        wanted: the picture."""', ["4: picture (image)"]),
        ('add("picture", form["pictures"])', []),
        ('"""A picture\nis at\nonce."""', ["1: picture (image)", "2: at once"]),
    ],
)
def test_hits_are_found_in_strings_and_comments_alone(source: str, hits: list[str]) -> None:
    found = _find(_read_code(source))
    assert len(found) == len(hits)
    assert all(one.startswith(hit) for one, hit in zip(found, hits, strict=True))


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
