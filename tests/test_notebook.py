"""The notebook of ``examples/``, executed from beginning to end."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nbclient", reason="runs notebooks")
pytest.importorskip("ipykernel", reason="runs notebooks")
pytest.importorskip("pandas", reason="the notebook makes a data frame")

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "tour.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "is kept without outputs"
    path = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=path).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.release
@pytest.mark.slow
def test_the_notebook_detects_explains_and_trains(cells: list[Any]) -> None:
    outputs = {cell.id: cell.outputs for cell in cells}
    shown = [output.get("data", {}) for found in outputs.values() for output in found]
    assert sum("image/png" in data for data in shown) >= 3
    texts = " ".join(str(data.get("text/plain", "")) for data in shown)
    assert "1 face: happiness" in texts
    assert any("<table" in str(data.get("text/html", "")) for data in shown)
    accuracy = next(float(str(data["text/plain"])) for data in shown if _is_number(data))
    assert 1 / 7 < accuracy <= 1


def _is_number(data: dict[str, Any]) -> bool:
    text = str(data.get("text/plain", ""))
    return text.replace(".", "", 1).isdecimal()
