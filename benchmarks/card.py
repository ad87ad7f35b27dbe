"""Write the shipped model's card into the package and into docs/, of files alone.

    python benchmarks/card.py            # write
    python benchmarks/card.py --check    # exit code 1 when a card says something else

It is made of the model's record and of what ``agreement.py`` and ``emotion test --corruptions``
found (docs/results/).
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from emotion_detection import pretrained
from emotion_detection.evaluation.card import card
from emotion_detection.evaluation.card_facts import shipped_facts
from emotion_detection.files import write_whole

ROOT = Path(__file__).resolve().parents[1]
PLACES = (
    Path("src", "emotion_detection", "pretrained", pretrained.CARD),
    Path("docs", "model-card.md"),
)


def shipped_card(root: Path = ROOT) -> str:
    """Return what the card must say."""
    results = root / "docs" / "results"
    agreement = _read(results / "agreement.json")["splits"]["test"]
    note = (
        f"On the {agreement['with_majority']:,} test faces with a majority of FER+'s raters, "
        f"FER-2013's label names the same emotion on {agreement['agree']:.1%}."
    )
    return card(shipped_facts(pretrained.record(), _robustness(results), [note]))


def _robustness(results: Path) -> dict[str, Any]:
    """Return what was found of the shipped model by its own labels."""
    tests: dict[str, dict[str, Any]] = _read(results / "robustness.json")["tests"]
    return next(
        found
        for found in tests.values()
        if "pretrained" in str(found["command"]) and found["data"]["label_set"] == "ferplus"
    )


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def main() -> int:
    """Write the cards, or check them."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args()
    wanted = shipped_card()
    if options.check:
        return int(any((ROOT / p).read_text(encoding="utf-8") != wanted for p in PLACES))
    for place in PLACES:
        write_whole(ROOT / place, wanted)
        print(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
