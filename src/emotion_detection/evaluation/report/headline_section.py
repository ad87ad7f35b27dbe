"""The top of a report: accuracy, comparison with people, data and command."""

from collections.abc import Mapping, Sequence
from typing import Any

from emotion_detection.evaluation.card_facts import FILTERS
from emotion_detection.evaluation.report import markup
from emotion_detection.evaluation.report.markup import interval, percent, text
from emotion_detection.evaluation.saved_tests import read_prior, read_views

Values = Mapping[str, Any]

_LABELS = {
    "fer2013": "FER-2013's own labels (Goodfellow et al. 2013)",
    "ferplus": "the majority of FER+'s ten raters (Barsoum et al. 2016)",
    "demo": "those of the synthetic faces: metrics on synthetic faces do not hold for people",
}

_ONE_PERSON = (
    "The label is the majority of all raters, and a single person often differs from it. A model "
    "learns what most raters see, so it can agree with the majority more often than one person "
    "does; that does not make it better than people"
)
"""Why a model may have a higher accuracy than one of the raters."""


def render_headline(models: Sequence[Values]) -> str:
    """Return the section of the main metrics.

    Args:
        models: facts of each model; the report is about the first.
    """
    first = models[0]
    test = first["test"]
    cards = [_card(one) for one in models] + [_people(first["raters"])]
    return markup.section(
        "headline",
        "Results",
        f'<ul class="headline">{"".join(cards)}</ul>',
        markup.facts(_facts(test)),
        *(markup.paragraph(text(note)) for note in first["notes"]),
        *(_beside(one) for one in models[1:]),
        _over_people(first["over_people"]),
        _copies(test.get("without_duplicates")),
    )


def _card(facts: Values) -> str:
    test = facts["test"]
    low, high = test["accuracy_ci95"]
    return (
        f'<li><span class="name">{text(facts["model"])}</span>'
        f"<b>{percent(test['accuracy'])}</b><span>accuracy; 95 % interval {interval(low, high)}, "
        f"{test['n']:,} faces{_class_means(test)}</span></li>"
    )


def _class_means(test: Values) -> str:
    """Return balanced accuracy and macro F1, if the test wrote them."""
    named = (("balanced_accuracy", "balanced accuracy"), ("macro_f1", "macro F1"))
    return "".join(f"; {name} {percent(test[key])}" for key, name in named if key in test)


def _beside(facts: Values) -> str:
    """Return the facts of a further model that differ from the first one's."""
    told = [row for row in _facts(facts["test"]) if row[0] not in ("filter", "faces")]
    return "".join(
        (
            f"<h3>Compared with: {text(facts['model'])}</h3>",
            markup.facts(told),
            *(markup.paragraph(text(note)) for note in facts["notes"]),
        )
    )


def _people(raters: Values | None) -> str:
    if raters is None:
        return (
            '<li><span class="name">People</span><b>unknown</b>'
            "<span>the data does not tell how often people agree with its labels</span></li>"
        )
    name = "One person" if raters.get("is_one") else "People"
    meaning = f". {_ONE_PERSON}" if raters.get("is_one") else ""
    return (
        f'<li><span class="name">{name}</span><b>{percent(raters["value"])}</b>'
        f"<span>{text(raters['source'])}; {interval(raters['low'], raters['high'])}"
        f"{text(meaning)}</span></li>"
    )


def describe_labels(test: Values) -> str:
    """Return a description of a test's labels."""
    label_set = test["data"].get("label_set", "own")
    return f"{_LABELS.get(label_set, 'those of the data')}; {len(test['labels'])} classes"


def _shown(test: Values) -> str:
    """Return a description of a test's views and prior, if they are not the defaults."""
    views = {1: "", 2: ", with flip test-time augmentation"}.get(
        read_views(test), f", each in {read_views(test)} views (mirrored, enlarged)"
    )
    return views + ("" if read_prior(test) == "natural" else f"; {read_prior(test)} prior")


def _facts(test: Values) -> list[tuple[str, str]]:
    data, code = test["data"], test.get("code") or {}
    label_set = data.get("label_set", "own")
    version = f"{code.get('version', 'unknown')} {code.get('commit') or ''}".strip()
    changed = ", with changes that are in no commit" if code.get("changed") else ""
    seconds = f" ({test['seconds']:,.1f} s)" if test.get("seconds") else ""
    command = test.get("command")
    return [
        ("data", f"{text(data['source'])}, {text(test['split'])} split"),
        ("labels", text(describe_labels(test))),
        ("filter", text(FILTERS.get(label_set, "none: all faces of the split"))),
        ("faces", f"{test['n']:,}{_shown(test)}"),
        ("command", f"<code>{text(command)}</code>{seconds}" if command else "not recorded"),
        ("code", text(version + changed)),
        ("parameters", f"{test['parameters']:,}" if "parameters" in test else "unknown"),
        ("data's SHA-256", f"<code>{text(data.get('hash', 'unknown'))}</code>"),
    ]


def _over_people(found: Values | None) -> str:
    if not found:
        return ""
    return markup.paragraph(
        f"Drawing whole people, {found['clusters']:,} of them, instead of faces, the interval of "
        f"the accuracy is {interval(found['low'], found['high'])}."
    )


def _copies(found: Values | None) -> str:
    if not found:
        return markup.missing(
            "Accuracy without duplicates of training faces: unknown, because these faces are not "
            "of the data that the model was trained on, or are its training split."
        )
    if not found["exact_or_near"]:
        return markup.paragraph("None of these faces has a duplicate among the training faces.")
    low, high = found["accuracy_ci95"] or (None, None)
    return markup.paragraph(
        f"<b>Without duplicates: {percent(found['accuracy'])}</b> ({interval(low, high)}, "
        f"{found['n']:,} faces{_class_means(found)}).",
        f"{found['exact_or_near']:,} of the faces have a duplicate among the training faces, "
        f"{found['exact']:,} of them to the pixel ({text(found['measure'])}).",
    )
