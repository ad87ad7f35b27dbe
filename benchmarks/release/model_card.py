"""Write the shipped model's card and robustness table into the package, and the card into docs/.

    python -m benchmarks.release.model_card            # write
    python -m benchmarks.release.model_card --check    # exit code 1 when a file says something else

They are made of the model's record and of what ``label_agreement.py`` and ``emotion test
--corruptions`` measured (docs/results/). Robustness that was measured on an earlier model is left
out.
"""

import json
import sys
from pathlib import Path
from typing import Any

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


def shipped_card(root: Path = ROOT) -> str:
    """Return what the card must say."""
    results = root / "docs" / "results"
    agreement = read_json(results / "agreement.json")["splits"]["test"]
    note = (
        f"On the {agreement['with_majority']:,} test faces with a majority of FER+'s raters, "
        f"FER-2013's label names the same emotion on {agreement['agree']:.1%}."
    )
    robustness = _robustness(results)["tests"].get("ferplus")
    return render_card(read_shipped_facts(pretrained.read_record(), robustness, [note]))


def shipped_robustness(root: Path = ROOT) -> str:
    """Return what the robustness table in the package must hold, JSON."""
    return json.dumps(_robustness(root / "docs" / "results"), indent=1) + "\n"


def _robustness(results: Path) -> dict[str, Any]:
    """Return the tests of the shipped model under corruption, by label set."""
    record = pretrained.read_record()
    found: dict[str, Any] = {}
    for test in read_json(results / "robustness.json")["tests"].values():
        labels, clean = test["data"]["label_set"], test["clean"]
        figures = [
            (row["accuracy"], row["n"])
            for row in record["figures"]
            if row["labels"] == labels and is_plain(row)
        ]
        if "--model pretrained" not in test["command"] or test.get("views", 1) != 1:
            continue
        if (clean["accuracy"], clean["n"]) in figures:
            found[labels] = test
        else:
            print(f"left out: {test['command']}: of an earlier model", file=sys.stderr)
    return {"model_sha256": record["files"][pretrained.MODEL]["sha256"], "tests": found}


def _differs(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_text(encoding="utf-8") != text


@report_errors
def main(words: list[str] | None = None) -> int:
    """Write the cards, or check them."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args(words)
    wanted = dict.fromkeys(PLACES, shipped_card()) | {ROBUSTNESS: shipped_robustness()}
    if options.check:
        return int(any(_differs(ROOT / place, text) for place, text in wanted.items()))
    for place, text in wanted.items():
        write_atomic(ROOT / place, text)
        print(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
