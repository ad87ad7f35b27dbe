"""Write the shipped model's card and robustness table into the package, and the card into docs/.

    python -m benchmarks.release.model_card            # write
    python -m benchmarks.release.model_card --check    # exit code 1 when a file says something else
    python -m benchmarks.release.model_card --package DIR --robustness FILE --agreement FILE

They are made of the model's record and of what ``label_agreement.py`` and ``emotion test
--corruptions`` measured (docs/results/); with ``--package`` it is another model. Robustness that
was measured on an earlier model is left out.
"""

import json
import shlex
import sys
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.common import (
    ROOT,
    Parser,
    read_json,
    report_errors,
)
from emotion_detection import pretrained
from emotion_detection.evaluation.card import render_card
from emotion_detection.evaluation.card_facts import read_shipped_facts
from emotion_detection.evaluation.saved_tests import is_plain
from emotion_detection.io.files import write_atomic

PLACES = (
    Path("src", "emotion_detection", "pretrained", pretrained.CARD),
    Path("docs", "model-card.md"),
)


ROBUSTNESS = Path("src", "emotion_detection", "pretrained", pretrained.ROBUSTNESS)


class Sources(NamedTuple):
    """What a card is made of.

    Args:
        record: the model's record.
        robustness: file of ``collect_robustness.py``.
        agreement: file of ``label_agreement.py``.
    """

    record: dict[str, Any]
    robustness: Path
    agreement: Path


def shipped_sources(root: Path = ROOT) -> Sources:
    """Return the sources of the shipped model's card."""
    results = root / "docs" / "results"
    record = pretrained.read_record()
    return Sources(record, results / "robustness.json", results / "agreement.json")


def make_card(sources: Sources) -> str:
    """Return what the card must say."""
    agreement = read_json(sources.agreement)["splits"]["test"]
    note = (
        f"On the {agreement['with_majority']:,} test faces with a majority of FER+'s raters, "
        f"FER-2013's label names the same emotion on {agreement['agree']:.1%}."
    )
    robustness = _robustness(sources)["tests"].get("ferplus")
    return render_card(read_shipped_facts(sources.record, robustness, [note]))


def make_robustness(sources: Sources) -> str:
    """Return what the robustness table in the package must hold, JSON."""
    return json.dumps(_robustness(sources), indent=1) + "\n"


def _robustness(sources: Sources) -> dict[str, Any]:
    """Return the tests of the model under corruption, by label set."""
    record = sources.record
    names = {"pretrained", *(_tested_model(row["command"]) for row in record["figures"])}
    found: dict[str, Any] = {}
    for test in read_json(sources.robustness)["tests"].values():
        labels, clean = test["data"]["label_set"], test["clean"]
        figures = [
            (row["accuracy"], row["n"])
            for row in record["figures"]
            if row["labels"] == labels and is_plain(row)
        ]
        if _tested_model(test["command"]) not in names or test.get("views", 1) != 1:
            continue
        if (clean["accuracy"], clean["n"]) in figures:
            found[labels] = test
        else:
            print(f"left out: {test['command']}: of an earlier model", file=sys.stderr)
    return {"model_sha256": record["files"][pretrained.MODEL]["sha256"], "tests": found}


def _tested_model(command: str) -> str:
    """Return the model that a command tests: 'pretrained', or the name of a run."""
    words = shlex.split(command)
    return Path(words[words.index("--model") + 1]).name


def _differs(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_text(encoding="utf-8") != text


@report_errors
def main(words: list[str] | None = None) -> int:
    """Write the cards, or check them."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--package", type=Path, help="folder with the record of another model")
    parser.add_argument("--robustness", type=Path, help="its file of collect_robustness.py")
    parser.add_argument("--agreement", type=Path, help="file of label_agreement.py")
    options = parser.parse_args(words)
    sources = shipped_sources()
    if options.package:
        sources = Sources(
            read_json(options.package / pretrained.RECORD),
            options.robustness or sources.robustness,
            options.agreement or sources.agreement,
        )
        for name, text in (
            (pretrained.ROBUSTNESS, make_robustness(sources)),
            (pretrained.CARD, make_card(sources)),
        ):
            write_atomic(options.package / name, text)
            print(options.package / name)
        return 0
    wanted = dict.fromkeys(PLACES, make_card(sources)) | {ROBUSTNESS: make_robustness(sources)}
    if options.check:
        return int(any(_differs(ROOT / place, text) for place, text in wanted.items()))
    for place, text in wanted.items():
        write_atomic(ROOT / place, text)
        print(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
