"""What users see, held against files: rows, JSON, answers, metrics, hashes, help.

``python tests/golden/make.py`` writes the files anew.
"""

from pathlib import Path

import pytest

from tests.golden.cases import CASES, Case
from tests.golden.compare import differences, read, write
from tests.golden.workplace import Workplace

FILES = Path(__file__).parent / "files"
LIMIT = 300_000


def _path(case: Case) -> Path:
    return FILES / f"{case.name}{'.txt' if case.is_text else '.json'}"


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=[pytest.mark.slow] if case.is_slow else [])
        for case in CASES
    ],
)
def test_users_see_what_they_saw(
    case: Case, workplace: Workplace, request: pytest.FixtureRequest
) -> None:
    for module in case.needs:
        pytest.importorskip(module)
    found = workplace.plain(case.make(workplace))
    if request.config.getoption("--update-golden", default=False):
        write(_path(case), found)
    old = read(_path(case))
    if case.is_text:
        old, found = old.splitlines(), found.splitlines()
    lines = list(differences(old, found, case.tolerance))
    told = "\n".join(lines[:40])
    more = f"\n... and {len(lines) - 40} more" if len(lines) > 40 else ""
    assert not lines, (
        f"{_path(case).name}: {len(lines)} differences (pointer, - golden, + now):\n{told}{more}\n"
        f"Meant? python tests/golden/make.py {case.name}"
    )


def test_each_golden_file_belongs_to_a_case_and_all_are_small() -> None:
    files = {path for path in FILES.rglob("*") if path.is_file()}
    assert files == {_path(case) for case in CASES}
    assert sum(path.stat().st_size for path in files) < LIMIT


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"score": 0.51}, {"score": 0.52}, []),
        ({"score": 0.51}, {"score": 0.58}, ["/score\n  - 0.51\n  + 0.58"]),
        ({"box": [10.5, 3]}, {"box": [12.0, 3.0]}, []),
        ({"box": [10.5]}, {"box": [13.0]}, ["/box/0\n  - 10.5\n  + 13.0"]),
        ({"x": 1.0}, {"x": 2.5}, []),
        ({"n": 3}, {"n": 4}, ["/n\n  - 3\n  + 4"]),
        ({"n": 1}, {"n": True}, ["/n\n  - 1\n  + true"]),
        (["accuracy 0.512, n=7"], ["accuracy 0.520, n=7"], []),
        (["accuracy 0.512, n=7"], ["accuracy 0.512, n=8"], ["n=8"]),
        (["accuracy 0.512"], ["Accuracy 0.512"], ["Accuracy"]),
        ({"a/b": [1]}, {"a/b": [1, 2]}, ["/a~1b/1\n  - (missing)\n  + 2"]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, [": order of keys\n  - a, b\n  + b, a"]),
        ({"a": None}, {}, ["/a\n  - null\n  + (missing)"]),
    ],
)
def test_differences_are_told_by_pointer(old: object, new: object, expected: list[str]) -> None:
    found = list(differences(old, new, 0.02))
    assert len(found) == len(expected)
    assert all(part in line for part, line in zip(expected, found, strict=True))


def test_without_tolerance_numbers_are_exact() -> None:
    assert (
        list(differences({"rate": 0.001, "said": "0.10"}, {"rate": 0.001, "said": "0.10"}, 0)) == []
    )
    assert len(list(differences([0.001, "0.10"], [0.0011, "0.11"], 0))) == 2
