import pytest

from emotion_detection.data import load
from emotion_detection.data import locate as find
from emotion_detection.data import synthetic as demo
from emotion_detection.data.download import DownloadError
from emotion_detection.errors import InputError


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    """Stand in an empty folder, without a network, with few drawn faces."""

    def refuse(into):
        raise DownloadError(f"FER-2013 was not downloaded: put it at {into / 'fer2013'}")

    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(find, "download_fer2013", refuse)
    monkeypatch.setattr(
        find, "make_synthetic_source", lambda size: demo.make_synthetic_source(size, 80)
    )
    return folder


def test_auto_takes_what_lies_in_data(offline, tiny_set, write_csv, data_config, capsys):
    write_csv(offline / "data", *tiny_set)
    dataset = load(data_config("auto"))
    assert dataset.kind == "FER-2013 CSV"
    assert "data: data\n" in capsys.readouterr().err


def test_auto_takes_what_lies_one_folder_below_data(offline, tiny_set, write_parquet, data_config):
    (offline / "data" / "a").mkdir(parents=True)
    write_parquet(offline / "data" / "hub", *tiny_set)
    dataset = load(data_config("auto"))
    assert dataset.kind == "Parquet"
    assert dataset.sizes["train"] == 28


def test_auto_takes_folders_of_images(offline, tiny_set, write_folders, data_config):
    write_folders(offline / "data", *tiny_set)
    assert load(data_config("auto")).kind == "folders"


def test_auto_takes_one_of_two_datasets_not_their_folders_as_emotions(
    offline, tiny_set, write_folders, data_config
):
    for name in ("mine", "yours"):
        write_folders(offline / "data" / name, *tiny_set)
    dataset = load(data_config("auto"))
    assert dataset.labels[0] == "anger"
    assert dataset.sizes == {"train": 28, "validation": 7, "test": 7}


def test_the_hidden_cache_in_data_is_no_dataset(offline, tiny_set, write_folders, data_config):
    write_folders(offline / "data" / ".cache", *tiny_set)
    assert load(data_config("auto")).label_set == "demo"


def test_the_word_fer2013_passes_other_data_by(
    offline, tiny_set, tiny_faces, write_manifest, write_csv, data_config
):
    write_manifest(offline / "data" / "a-mine", tiny_faces(4), ["happy", "sad"] * 2)
    write_csv(offline / "data" / "kaggle", *tiny_set)
    assert load(data_config("fer2013")).label_set == "fer2013"
    assert load(data_config("auto")).kind == "manifest CSV"


def test_auto_offline_draws_faces_with_a_banner_on_stderr(data_config, capsys):
    dataset = load(data_config("auto"))
    assert dataset.label_set == "demo"
    assert sum(dataset.sizes.values()) == 80
    said = capsys.readouterr()
    assert said.out == ""
    assert "NO DATASET FOUND: USING SYNTHETIC FACES" in said.err
    assert "FER-2013 was not downloaded" in said.err
    lines = [line for line in find.BANNER.splitlines() if line]
    assert {len(line) for line in lines} == {80}


def test_fer2013_offline_is_an_error_that_says_where_to_put_it(data_config):
    with pytest.raises(InputError, match="FER-2013 was not downloaded: put it at data/fer2013"):
        load(data_config("fer2013"))


def test_ferplus_offline_is_an_error_not_synthetic_faces(data_config):
    with pytest.raises(InputError, match="FER-2013 was not downloaded"):
        load(data_config("auto", labels="ferplus"))


def test_what_was_downloaded_is_read(offline, tiny_set, write_csv, data_config, monkeypatch):
    def download(into):
        write_csv(into / "fer2013", *tiny_set)
        return into / "fer2013"

    monkeypatch.setattr(find, "download_fer2013", download)
    assert load(data_config("auto")).sizes["train"] == 28
    monkeypatch.setattr(find, "download_fer2013", None)
    assert load(data_config("fer2013")).sizes["train"] == 28


def test_demo_has_every_class_and_true_intensities(data_config):
    dataset = load(data_config("demo"))
    assert dataset.missing_classes(dataset.split("train")) == []
    train = dataset.split("train")
    neutral = train.labels == dataset.labels.index("neutral")
    assert (train.intensity[neutral] == 0).all()
    assert train.intensity[~neutral].min() >= 0.2
    assert train.intensity.max() <= 1


def test_demo_never_puts_a_drawn_person_in_two_splits():
    people = {}
    for number, face in enumerate(demo.make_synthetic_source(16, 240).read()):
        people.setdefault(number // 10, set()).add(face.split)
    assert all(len(splits) == 1 for splits in people.values())
    assert {next(iter(splits)) for splits in people.values()} == {"train", "validation", "test"}


def test_demo_can_be_had_in_colour_and_another_size(data_config):
    images = load(data_config("demo", channels=3, size=32)).split("train").images
    assert images.shape[1:] == (3, 32, 32)


def test_two_datasets_of_own_emotions_in_data_are_not_one_of_two_classes(
    offline, tiny_faces, png, data_config
):
    for row, face in enumerate(tiny_faces(40)):
        own = offline / "data" / ("mine", "yours")[row % 2] / ("bored", "keen")[row // 2 % 2]
        own.mkdir(parents=True, exist_ok=True)
        (own / f"{row}.png").write_bytes(png(face))
    dataset = load(data_config("auto"))
    assert dataset.source == "data/mine"
    assert dataset.labels == ("bored", "keen")


def test_a_broken_dataset_in_data_is_not_passed_over_in_silence(offline, data_config, capsys):
    (offline / "data").mkdir()
    (offline / "data" / "fer2013.csv").write_text("feeling,pixels\n0,1 2 3\n")
    assert load(data_config("auto")).label_set == "demo"
    assert "passed over: data/fer2013.csv: no column 'emotion'" in capsys.readouterr().err


def test_a_part_of_fer2013_is_called_a_part(offline, tiny_set, write_csv, data_config, capsys):
    load(data_config(write_csv(offline / "some", *tiny_set)))
    assert "but not all of its faces: train 28," in capsys.readouterr().err
