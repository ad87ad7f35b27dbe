import io

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from emotion_detection.data import console as commands
from emotion_detection.data import load
from emotion_detection.data.summary import CELL, GAP, draw_contact_sheet, format_info_table
from emotion_detection.errors import InputError

RED, BLUE = (220, 10, 10), (10, 10, 220)


def as_text(renderable, width=80):
    out = io.StringIO()
    Console(file=out, width=width).print(renderable)
    return out.getvalue()


def row_of(text, first_word):
    (line,) = [line for line in text.splitlines() if line.split()[:1] == [first_word]]
    return line.split()[1:]


def plain(colour, count):
    """``count`` images of one colour that differ by a level each."""
    return [np.full((48, 48, 3), np.add(colour, n), np.uint8) for n in range(count)]


def box(sheet, colour):
    """The place of a colour's cells: (left, top, right, bottom), and the number of its pixels."""
    mask = np.abs(sheet - np.array(colour)).max(axis=2) < 30
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), int(mask.sum())


@pytest.fixture
def write(tmp_path, png, data_config):
    """``write({"train/happy": [faces]}, **options)`` -> the dataset read from those folders."""

    def make(folders, **options):
        for folder, faces in folders.items():
            (tmp_path / "own" / folder).mkdir(parents=True)
            for n, face in enumerate(faces):
                (tmp_path / "own" / folder / f"{n:02d}.png").write_bytes(png(face))
        options = {"test_fraction": 0.0, "validation_fraction": 0.0} | options
        return load(data_config(tmp_path / "own", **options))

    return make


@pytest.fixture
def sheet_of(tmp_path):
    """``sheet_of(dataset, **options)`` -> the sheet's pixels, int (H, W, 3)."""

    def draw(dataset, **options):
        draw_contact_sheet(dataset, tmp_path / "sheet.png", **options)
        with Image.open(tmp_path / "sheet.png") as sheet:
            assert sheet.format == "PNG"
            return np.asarray(sheet.convert("RGB")).astype(int)

    return draw


def test_the_table_counts_each_class_and_split(write, tiny_faces):
    faces = tiny_faces(30)
    dataset = write({"train/happy": faces[:12], "train/sad": faces[12:20], "test/sad": faces[20:]})
    text = as_text(format_info_table(dataset))
    assert row_of(text, "happiness") == ["12", "0", "0", "12", "40.0%"]
    assert row_of(text, "sadness") == ["8", "0", "10", "18", "60.0%"]
    assert row_of(text, "all") == ["20", "0", "10", "30"]
    assert row_of(text, "kind") == ["folders"]
    assert row_of(text, "hash") == [dataset.hash]
    assert row_of(text, "intensity") == ["not", "given"]
    assert row_of(text, "unreadable") == ["none"]
    assert row_of(text, "missing") == ["test:", "happiness"]
    assert "validation: no faces at all" in text
    assert str(dataset.folder) in "".join(line.strip() for line in text.splitlines())


def test_the_table_tells_intensity_and_complete_classes(
    tmp_path, tiny_faces, write_manifest, data_config
):
    emotions, splits = ["happy", "sad"] * 6, ["train"] * 4 + ["validation"] * 4 + ["test"] * 4
    path = write_manifest(tmp_path, tiny_faces(12), emotions, splits, [0.25, 0.75] * 5 + ["", ""])
    text = as_text(format_info_table(load(data_config(path))))
    assert "given for 10 faces: 0.25 to 0.75, mean 0.50" in text
    assert "every class has faces in every split" in text


def test_long_class_names_are_folded_not_cut(write, tiny_faces):
    name = "concentration-" * 8 + "end"
    text = as_text(
        format_info_table(write({f"train/{name}": tiny_faces(12), "train/sad": tiny_faces(9, 1)}))
    )
    assert max(map(len, text.splitlines())) <= 80
    assert "\u2026" not in text
    column = "".join(line.split()[0] for line in text.splitlines() if line.strip())
    assert name in column


def test_unreadable_images_are_named(write, tmp_path, tiny_faces, data_config):
    write({"train/happy": tiny_faces(9), "train/sad": tiny_faces(9, 1)})
    (tmp_path / "own" / "train" / "sad" / "[red]broken.png").write_bytes(b"no image")
    dataset = load(data_config(tmp_path / "own", max_corrupt=0.2))
    assert "train/sad/[red]broken.png: not an image in a format" in as_text(
        format_info_table(dataset)
    )


def test_rows_hold_faces_of_their_class(write, sheet_of):
    dataset = write({"train/happy": plain(RED, 20), "train/sad": plain(BLUE, 5)}, channels=3)
    sheet = sheet_of(dataset, columns=8)
    red, red_pixels = box(sheet, RED)
    blue, blue_pixels = box(sheet, BLUE)
    assert red_pixels == 8 * CELL**2
    assert blue_pixels == 5 * CELL**2
    assert red[2] - red[0] == 8 * CELL + 7 * GAP
    assert blue[2] - blue[0] == 5 * CELL + 4 * GAP
    assert red[3] - red[1] == blue[3] - blue[1] == CELL
    assert (blue[0], blue[1]) == (red[0], red[1] + CELL + GAP)
    # no face stands twice: each differs by its level
    middle = sheet[red[1] + CELL // 2, red[0] + CELL // 2 : red[2] : CELL + GAP]
    assert len({tuple(colour) for colour in middle.tolist()}) == 8
    assert {tuple(np.subtract(colour, RED)) for colour in middle.tolist()} <= {
        (n, n, n) for n in range(20)
    }


def test_names_and_counts_stand_at_the_left(write, sheet_of):
    dataset = write({"train/happy": plain(RED, 3), "train/sad": plain(BLUE, 3)}, channels=3)
    sheet = sheet_of(dataset)
    for colour in (RED, BLUE):
        (left, top, _, bottom), _ = box(sheet, colour)
        beside = sheet[top:bottom, : left - GAP].max(axis=2)
        lines = (beside < 200).any(axis=1)
        assert np.count_nonzero(np.diff(lines.astype(int)) == 1) >= 2  # the name, then its count
        assert beside.min() < 80
    assert (sheet[: box(sheet, RED)[0][1]] < 80).any()  # the title


@pytest.mark.parametrize("channels", [1, 3])
def test_a_face_is_drawn_as_it_is(channels, write, sheet_of, tiny_faces):
    faces = np.moveaxis(tiny_faces(2 * channels).reshape(2, channels, 48, 48), 1, 3)
    black = np.zeros((48, 48), np.uint8)
    images = faces[..., 0] if channels == 1 else faces
    dataset = write(
        {"train/angry": [black], "train/happy": images[:1], "train/sad": images[1:]},
        channels=channels,
    )
    sheet = sheet_of(dataset)
    top, left = np.argwhere((sheet == 0).all(axis=2))[0]
    assert (sheet[top : top + CELL, left : left + CELL] == 0).all()
    for row, face in enumerate(faces, start=1):
        y = top + row * (CELL + GAP)
        for channel in range(channels):
            cell = sheet[y : y + CELL, left : left + CELL, channel].astype(np.uint8)
            seen = np.asarray(Image.fromarray(cell).resize((48, 48), Image.Resampling.BOX))
            other = faces[2 - row, :, :, channel]
            assert np.corrcoef(seen.ravel(), face[:, :, channel].ravel())[0, 1] > 0.98
            assert np.corrcoef(seen.ravel(), other.ravel())[0, 1] < 0.5


def test_an_empty_class_keeps_its_row(write, sheet_of):
    dataset = write(
        {"train/angry": plain(RED, 2), "test/happy": plain(RED, 2), "train/sad": plain(BLUE, 2)},
        channels=3,
    )
    sheet = sheet_of(dataset)
    red, _ = box(sheet, RED)
    blue, _ = box(sheet, BLUE)
    assert blue[1] - red[1] == 2 * (CELL + GAP)
    assert (sheet[red[3] + GAP : blue[1] - GAP, red[0] :] == 255).all()
    test = sheet_of(dataset, split="test")
    assert box(test, RED)[1] == 2 * CELL**2
    with pytest.raises(InputError, match="no faces in the validation split"):
        sheet_of(dataset, split="validation")


def test_long_names_and_many_classes_fit(write, sheet_of):
    name = "W" * 200
    folders = {f"train/class{n:02d}": plain(BLUE, 1) for n in range(30)}
    sheet = sheet_of(write({f"train/{name}": plain(RED, 3)} | folders, channels=3), columns=3)
    red, red_pixels = box(sheet, RED)
    assert red_pixels == 3 * CELL**2
    assert box(sheet, BLUE)[1] == 30 * CELL**2
    assert red[0] < 400  # the name goes on below, it pushes no face away
    assert (sheet[:, -GAP:] == 255).all()
    assert (sheet[-GAP:] == 255).all()


def test_names_in_other_scripts_are_legible(write, sheet_of):
    names = ("\u0440\u0430\u0434\u043e", "\u0433\u043d\u0435\u0432")
    dataset = write({f"train/{name}": plain(RED, 1) for name in names}, channels=3)
    sheet = sheet_of(dataset)
    (left, top, _, _), _ = box(sheet, RED)
    first, second = (sheet[y : y + CELL // 2, : left - GAP] for y in (top, top + CELL + GAP))
    # a font without these letters draws the same empty boxes for both
    assert not np.array_equal(first, second)


def test_the_same_data_gives_the_same_sheet(write, sheet_of, tiny_faces):
    dataset = write({"train/happy": tiny_faces(30), "train/sad": tiny_faces(30, seed=1)})
    first = sheet_of(dataset)
    assert np.array_equal(first, sheet_of(dataset))
    assert first.shape[1] > 12 * (CELL + GAP)


def test_a_sheet_that_cannot_be_written_is_one_clear_line(write, tmp_path):
    dataset = write({"train/happy": plain(RED, 3), "train/sad": plain(BLUE, 3)})
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "file" / "sheet.png", tmp_path):
        with pytest.raises(InputError, match="cannot be written") as caught:
            draw_contact_sheet(dataset, path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_failed_writing_keeps_the_old_sheet(write, tmp_path, monkeypatch):
    dataset = write({"train/happy": plain(RED, 3), "train/sad": plain(BLUE, 3)})
    out = tmp_path / "sheets" / "sheet.png"
    draw_contact_sheet(dataset, out)
    before = out.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("emotion_detection.io.files.os.replace", full)
    with pytest.raises(InputError, match="No space left"):
        draw_contact_sheet(dataset, out, columns=2)
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["sheet.png"]


def test_a_link_stays_a_link(write, tmp_path):
    dataset = write({"train/happy": plain(RED, 3), "train/sad": plain(BLUE, 3)})
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    draw_contact_sheet(dataset, tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_the_table_and_the_place_of_the_sheet(
    write, tmp_path, capsys, data_config
):
    write({"train/happy": plain(RED, 3), "train/sad": plain(BLUE, 4)})
    out = tmp_path / ("a-long-folder-name-" * 6) / "sheet.png"
    config = data_config(tmp_path / "own", test_fraction=0.0, validation_fraction=0.0)
    assert commands.info(config, out) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == f"sheet: {out}"
    assert row_of(printed, "all") == ["7", "0", "0", "7"]
    with Image.open(out) as sheet:
        assert sheet.size[1] > 2 * CELL
