"""Settings are checked when they are made, and a preset gives the values that are not given."""

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from emotion_detection.audit_options import AuditOptions
from emotion_detection.config import (
    DataConfig,
    TrainConfig,
    config_from_dict,
    config_to_dict,
    find_preset,
    list_presets,
)
from emotion_detection.errors import InputError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": "rmsprop"}, "--optimizer rmsprop: must be adam, adamw or sgd"),
        ({"schedule": "step"}, "--schedule step: must be constant, cosine or linear"),
        ({"labels": "ferpluss"}, "--labels ferpluss: must be original, fer2013 or ferplus"),
        ({"extra_labels": "x"}, "--extra_labels x: must be original, fer2013, ferplus or null"),
        ({"votes": 1}, "--votes 1: must be probability or majority"),
        ({"channels": 2}, "--channels 2: must be 1 or 3"),
        ({"channels": True}, "--channels True: must be 1 or 3"),
        ({"channels": 1.0}, "--channels 1.0: must be 1 or 3"),
        ({"preset": "nonsense"}, "--preset nonsense: no such preset; there are: baseline, "),
        ({"preset": None}, "--preset None: "),
        ({"epochs": 1.5}, "--epochs 1.5: must be a whole number"),
        ({"epochs": True}, "--epochs True: must be a whole number"),
        ({"epochs": "3"}, "--epochs 3: must be a whole number"),
        ({"patience": "soon"}, "--patience soon: must be a whole number or null"),
        ({"learning_rate": "1e-3"}, "--learning_rate 1e-3: must be a number"),
        ({"dropout": float("nan")}, "--dropout nan: must be between 0.0 and 0.95"),
        ({"frozen": 1}, "--frozen 1: must be true or false"),
        ({"models": 3}, "--models 3: must be text"),
        ({"data": None}, "--data None: must be text"),
        ({"teacher": "models/A"}, "--teacher models/A: must be a list of texts"),
        ({"teacher": [3]}, "--teacher [3]: must be a list of texts"),
        ({"trainer": "devices"}, "--trainer devices: must be fields with their values"),
        ({"preset": "quick", "trainer": 3}, "--trainer 3: must be fields with their values"),
    ],
    ids=str,
)
def test_a_value_that_is_not_allowed_is_refused_in_a_line(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        TrainConfig(**values)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_audits_choices_are_checked_too() -> None:
    with pytest.raises(InputError, match="--rank best: must be normalized_margin or self_conf"):
        AuditOptions(rank="best")
    with pytest.raises(InputError, match=r"--folds 2\.5: must be a whole number"):
        AuditOptions(folds=2.5)


def test_what_means_the_same_is_converted() -> None:
    values: dict[str, Any] = {
        "data": Path("faces"),
        "models": Path(),
        "epochs": np.int64(3),
        "dropout": 0,
        "learning_rate": np.float32(0.5),
        "teacher": (Path("models/A"),),
    }
    config = TrainConfig(**values)
    assert (config.data, config.models, config.epochs) == ("faces", ".", 3)
    assert (config.dropout, config.learning_rate, config.teacher) == (0.0, 0.5, ["models/A"])
    kinds = [type(getattr(config, name)) for name in values]
    assert kinds == [str, str, int, float, float, list]
    assert yaml.safe_load(yaml.safe_dump(config_to_dict(config))) == config_to_dict(config)


@pytest.mark.parametrize("preset", list_presets())
def test_a_preset_gives_the_values_that_are_not_given(preset: str) -> None:
    in_file = yaml.safe_load(Path(find_preset(preset)).read_text(encoding="utf-8"))
    config = TrainConfig(preset=preset, data="faces", epochs=5, dropout=0.3)
    assert (config.data, config.epochs, config.dropout) == ("faces", 5, 0.3)
    for name in in_file.keys() - {"epochs", "dropout"}:
        assert getattr(config, name) == in_file[name], name


def test_without_a_preset_the_values_are_those_of_baseline() -> None:
    assert TrainConfig() == TrainConfig(preset="baseline")


def test_fields_of_the_trainer_are_added_to_the_presets() -> None:
    config = TrainConfig(preset="quick", trainer={"devices": 1})
    assert config.trainer == {"precision": "bf16-mixed", "devices": 1}
    plain = TrainConfig(preset="quick", trainer={"precision": "32-true"})
    assert plain.trainer == {"precision": "32-true"}


def test_a_value_may_be_the_default_against_the_preset() -> None:
    assert TrainConfig(preset="quick", epochs=TrainConfig.epochs).epochs == 20
    assert TrainConfig("faces", preset="quick", size=48).size == 48


def test_a_copy_and_a_record_are_taken_as_they_are() -> None:
    config = TrainConfig(preset="compact")
    other = dataclasses.replace(config, network="large", trainer={})
    assert (other.network, other.trainer) == ("large", {})
    assert pickle.loads(pickle.dumps(other)) == other
    record = config_to_dict(other)
    del record["flip"]  # of a version that had no such field: not the preset's of today
    assert config_from_dict(record) == dataclasses.replace(other, flip=0.0)


def test_names_of_before_are_taken_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="also=. is now called extra_labels"):
        config = TrainConfig(labels="ferplus", also="fer2013")
    assert config.extra_labels == "fer2013"


def test_a_record_of_an_earlier_version_is_read(recwarn: pytest.WarningsRecorder) -> None:
    record = config_to_dict(TrainConfig(labels="ferplus", extra_labels="fer2013"))
    record |= {"also": record.pop("extra_labels"), "also_weight": 0.5}
    del record["extra_labels_weight"]
    config = config_from_dict(record)
    assert (config.extra_labels, config.extra_labels_weight) == ("fer2013", 0.5)
    # 'fer2013' was said of the labels that any data brings
    assert config_from_dict(config_to_dict(TrainConfig(labels="fer2013"))).labels == "original"
    assert not recwarn.list


def test_a_config_of_data_alone_is_checked_as_well() -> None:
    with pytest.raises(InputError, match="--size 4: must be between 16 and 1024"):
        DataConfig(size=4)
    with pytest.raises(InputError, match=r"--size 48\.5: must be a whole number"):
        DataConfig(size=48.5)
