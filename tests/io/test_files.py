"""Cells that a spreadsheet takes for formulas are made harmless, and read back as they were."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_detection.data.exclude import read_excluded_names
from emotion_detection.data.formats.delimited import read_lines
from emotion_detection.io.files import escape_cell, unescape_cell


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@b", "\t=1", "\r=1", "\n=1", "\uff1d1", "'=1"]
)
def test_a_formula_gets_a_quotation_mark(text: str) -> None:
    assert escape_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["", "calm", "it's", "'quoted'", "a=1", 3, -0.5, None])
def test_anything_else_stays_as_it_is(value: object) -> None:
    assert escape_cell(value) == value


@given(st.text(alphabet="'=+-@\t\uff1dab1", max_size=6))
def test_a_cell_is_read_back_as_it_was(text: str) -> None:
    assert unescape_cell(escape_cell(text)) == text


def test_names_that_are_formulas_are_left_out_by_the_list_that_was_written(tmp_path: Path) -> None:
    names = ["=1+1/38.png", "@b/9.png", "'=x.png", "plain.png"]
    path = tmp_path / "audit.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["file"], *([escape_cell(name)] for name in names)])
    assert read_excluded_names(path) == set(names)


def test_tables_that_are_read_back_keep_names_that_are_formulas(tmp_path: Path) -> None:
    names = ["=1+1/38.png", "@b/9.png", "plain.png"]
    path = tmp_path / "table.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["file"], *([escape_cell(name)] for name in names)])
    assert [cells for _, cells in read_lines(path)] == [[name] for name in names]
