"""Settings of the commands: frozen, validated on creation, free of torch.

Every field is an option of the command line; defaults live here and nowhere else. A preset in
``configs/`` is a YAML file of the same fields.
"""

import dataclasses
import functools
import inspect
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal, TypeVar

from emotion_detection.errors import InputError
from emotion_detection.io.field_types import check_types, join_choices
from emotion_detection.io.plain_values import refuse_class_paths

T = TypeVar("T")

SPLITS = ("train", "validation", "test")
"""Names of the splits."""

ALL = "all"
TESTED_SPLITS = (*SPLITS, ALL)
"""Values of ``--split``; 'all' is every face of the data."""

NOT_THE_USERS = (
    "logger",
    "callbacks",
    "plugins",
    "max_epochs",
    "default_root_dir",
    "enable_checkpointing",
    "use_distributed_sampler",
    "fast_dev_run",
    "overfit_batches",
    "reload_dataloaders_every_n_epochs",
    "model_registry",
    "barebones",
)
"""Fields of Lightning's Trainer that this project sets itself."""

LABELS = ("original", "fer2013", "ferplus")
"""Values of ``--labels``."""

LOGGERS = ("tensorboard", "csv", "wandb", "mlflow")
"""Values of ``--logger``."""


@dataclass(frozen=True)
class DataConfig:
    """The dataset, its labels and its splits.

    Args:
        data: path of the dataset, or several paths separated by blanks and quoted as in a shell;
            or 'auto' (what is in data/, else a download, else synthetic faces), 'fer2013', or
            'demo' (synthetic faces).
        labels: 'original' for the labels that the data brings; 'fer2013' for FER-2013's own;
            'ferplus' for the votes of FER+, from fer2013new.csv beside FER-2013.
        votes: training targets from the votes of FER+: 'probability' (distributions) or
            'majority' (one class); validation and test always take the majority.
        size: height and width of a face in pixels.
        channels: 1 for grey, 3 for RGB.
        split_seed: seed of the split, for data without splits; another number draws all splits
            anew, also of faces that keep the split that they had in earlier data.
        validation_fraction: fraction of the faces for validation, for data without such a split.
        test_fraction: fraction of the faces for testing, for data without such a split.
        person: keeps all faces of a person in one split: a regular expression that finds the
            person in a face's name (its first group, else the whole match), or the number of a
            folder in the name (1: the first, -1: the last); null: the column 'person', if any.
        folds: number of folds for cross-validation; null: no cross-validation.
        fold: fold to test on, from 1 to folds; null: all folds in turn.
        max_corrupt: largest accepted fraction of unreadable images.
        classes: classes to keep; default: all.
        rename: new class names, OLD=NEW each; classes with the same new name are merged.
        crop: 'faces' to detect and crop the largest face of each image, as 'predict' does; 'none'
            for images that are face crops already.
        cache: folder of the decoded faces; 'auto': the environment variable EMOTION_CACHE, else
            the user's cache folder.
        cache_limit: largest size of that folder in gigabytes; the least recently used datasets
            are removed first; null: no limit.
    """

    data: str = "auto"
    labels: Literal["original", "fer2013", "ferplus"] = "original"
    votes: Literal["probability", "majority"] = "probability"
    size: int = 48
    channels: Literal[1, 3] = 1
    split_seed: int = 0
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    person: str | None = None
    folds: int | None = None
    fold: int | None = None
    max_corrupt: float = 0.01
    classes: list[str] = field(default_factory=list)
    rename: list[str] = field(default_factory=list)
    crop: Literal["none", "faces"] = "none"
    cache: str = "auto"
    cache_limit: float | None = 20.0

    def __post_init__(self) -> None:
        check_types(self)
        self._check()

    def _check(self) -> None:
        _check_range("size", self.size, 16, 1024)
        _check_range("validation_fraction", self.validation_fraction, 0.0, 0.5)
        _check_range("test_fraction", self.test_fraction, 0.0, 0.5)
        _check_range("max_corrupt", self.max_corrupt, 0.0, 1.0)
        for name in ("classes", "rename"):
            if isinstance(getattr(self, name), str):
                raise InputError(f"--{name} {getattr(self, name)}: must be a list")
        if self.cache_limit is not None and not self.cache_limit >= 0:
            raise InputError(f"--cache_limit {self.cache_limit}: must be at least 0, or null")
        self._check_splits()
        if not self.data:
            raise InputError("--data is empty: give a path, 'auto', 'fer2013' or 'demo'")

    def _check_splits(self) -> None:
        if self.folds is not None:
            _check_range("folds", self.folds, 2, 100)
        if self.fold is not None:
            if self.folds is None:
                raise InputError(f"--fold {self.fold}: needs --folds, the number of folds")
            _check_range("fold", self.fold, 1, self.folds)
        try:
            re.compile(self.person or "")
        except re.error as error:
            raise InputError(
                f"--person {self.person}: no regular expression ({error}), nor the number of a "
                "folder in the faces' names"
            ) from None


OLD_FIELDS = {"also": "extra_labels", "also_weight": "extra_labels_weight"}
"""Field names of earlier versions, in records and config files -> present names."""


def rename_fields(values: dict[str, Any]) -> dict[str, Any]:
    """Rename the fields of a config of an earlier version.

    Args:
        values: fields of a record or a config file, of this or an earlier version.
    """
    return {OLD_FIELDS.get(name, name): value for name, value in values.items()}


def _rename_old_keys(named: dict[str, Any]) -> dict[str, Any]:
    """Rename deprecated arguments, with a warning for each."""
    for name in OLD_FIELDS.keys() & named.keys():
        # of the caller of the wrapped __init__
        text = f"TrainConfig({name}=) is now called {OLD_FIELDS[name]}"
        warnings.warn(text, DeprecationWarning, stacklevel=3)
    return rename_fields(named)


def _apply_preset(cls: type[T]) -> type[T]:
    """Decorate a config class: fields that are not given come from the preset."""
    init: Callable[..., None] = cls.__init__
    names = list(inspect.signature(cls).parameters)

    @functools.wraps(init)
    def start(self: T, *values: Any, **named: Any) -> None:
        given = dict(zip(names, values, strict=False)) | _rename_old_keys(named)
        if "preset" in given and len(given) < len(names):
            begun = read_preset(given["preset"])
            if isinstance(given.get("trainer", {}), dict):
                given["trainer"] = begun.get("trainer", {}) | given.get("trainer", {})
            given = begun | given
        init(self, **given)

    setattr(cls, init.__name__, start)  # its signature stays, by wraps
    return cls


@_apply_preset
@dataclass(frozen=True)
class TrainConfig(DataConfig):
    """Settings of one training.

    Fields that are not given take the preset's values: ``TrainConfig(preset="compact",
    data="faces", epochs=5)`` is ``emotion train --preset compact --data faces --epochs 5``. A
    config with all its fields given (a copy, a record) is used unchanged.

    Args:
        preset: recipe that the other options start from.
        network: 'baseline' (three convolutions with ReLU and max pooling), 'quick' (the same,
            smaller and faster), 'compact', 'large' (residual), or a backbone of timm by its
            name, such as 'resnet18'.
        pretrained: start a backbone of timm from timm's published weights (true; needs the
            internet once), or from a file of weights (.safetensors, .pth) of the same network.
        frozen: train the last layer only.
        extra_labels: second label set, 'original', 'fer2013' or 'ferplus', trained jointly with
            logits of its own; the best checkpoint has the highest mean accuracy over both.
        extra_labels_weight: weight of the loss of the second label set.
        intensity_weight: weight of the intensity loss, for data with intensities; 0: the model
            predicts no intensity.
        dropout: dropout probability.
        epochs: passes over the training faces.
        batch_size: faces per step, over all processes.
        optimizer: 'adam', 'adamw', or 'sgd' with Nesterov momentum 0.9.
        learning_rate: learning rate, at its peak.
        find_learning_rate: find the learning rate by a range test of 100 steps before training;
            the run records the rate.
        weight_decay: weight decay; not applied to biases and normalization layers.
        schedule: learning rate schedule: 'constant', 'cosine' or 'linear' to zero.
        warmup: fraction of all steps over which the learning rate rises to its peak.
        ema: decay per step of the moving average of the weights, which is validated and kept; 0:
            no average.
        label_smoothing: probability mass of a label that is spread over all classes.
        class_balance: loss weights by class frequency: 0: every face has the same weight, 1: every
            class has; values between interpolate.
        logit_adjustment: exponent of the class frequencies that scores are divided by after
            training, so that rare classes are predicted more often: 0: no adjustment, 1: as if
            all classes were equally frequent.
        mixup: alpha of mixup's Beta distribution; 0: no mixup.
        teacher: runs (folders or checkpoints) or models of the hub (hf://USER/NAME) to distil from;
            the scores of several are averaged.
        teacher_weight: weight of the distillation loss; the labels have the rest.
        patience: early stopping: epochs without a better validation accuracy; null: off.
        flip: probability of a horizontal flip.
        rotate: largest rotation in degrees.
        shift: largest shift as a fraction of the face's width.
        scale: largest change of scale as a fraction.
        brightness: largest change of brightness as a fraction.
        contrast: largest change of contrast as a fraction.
        erase: probability of random erasing (a small rectangle).
        corrupt: strength of corruption augmentation (blur, noise, low resolution, compression,
            darkness, occlusion, other crops): 0: none, 1: four faces in five.
        exclude: file that lists faces to leave out of training and validation, one per line.
        seed: seed of the weights, the order of the faces, dropout and augmentation.
        init: start from the weights of a run (folder or checkpoint), of a model of the Hugging Face
            hub (hf://USER/NAME), or of the shipped model ('pretrained').
        name: name of the run; default: preset and time.
        models: folder for runs.
        logs: folder for learning curves.
        logger: loggers beside metrics.csv: 'tensorboard', 'csv', 'wandb' or 'mlflow', or several.
        trainer: further arguments of Lightning's Trainer.
    """

    preset: str = "baseline"
    network: str = "baseline"
    pretrained: bool | str = False
    frozen: bool = False
    extra_labels: Literal["original", "fer2013", "ferplus"] | None = None
    extra_labels_weight: float = 1.0
    intensity_weight: float = 0.5
    dropout: float = 0.5
    epochs: int = 20
    batch_size: int = 32
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 0.001
    find_learning_rate: bool = False
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    warmup: float = 0.0
    ema: float = 0.0
    label_smoothing: float = 0.0
    class_balance: float = 0.0
    logit_adjustment: float = 0.0
    mixup: float = 0.0
    teacher: list[str] = field(default_factory=list)
    teacher_weight: float = 0.5
    patience: int | None = None
    flip: float = 0.0
    rotate: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    erase: float = 0.0
    corrupt: float = 0.0
    exclude: str | None = None
    seed: int = 0
    init: str | None = None
    name: str | None = None
    models: str = "models"
    logs: str = "logs"
    logger: list[str] = field(default_factory=lambda: ["tensorboard"])
    trainer: dict[str, Any] = field(default_factory=dict)

    def _check(self) -> None:
        super()._check()
        find_preset(self.preset)
        _check_range("dropout", self.dropout, 0.0, 0.95)
        _check_range("epochs", self.epochs, 1, 1_000_000)
        _check_range("batch_size", self.batch_size, 1, 1_000_000)
        _check_range("seed", self.seed, 0, 2**32 - 1)
        if not 0 < self.learning_rate <= 10:
            raise InputError(f"--learning_rate {self.learning_rate}: above 0 and at most 10")
        if self.patience is not None:
            _check_range("patience", self.patience, 1, 1_000_000)
        _check_range("weight_decay", self.weight_decay, 0.0, 10.0)
        for name in ("extra_labels_weight", "intensity_weight", "mixup"):
            _check_range(name, getattr(self, name), 0.0, 100.0)
        for name in ("warmup", "label_smoothing"):
            _check_range(name, getattr(self, name), 0.0, 0.9)
        _check_range("ema", self.ema, 0.0, 0.99999)
        for name in ("class_balance", "teacher_weight", "logit_adjustment"):
            _check_range(name, getattr(self, name), 0.0, 1.0)
        refuse_class_paths(self.trainer, "--trainer")
        first, second = (
            "fer2013" if name == "original" else name for name in (self.labels, self.extra_labels)
        )
        if first == second:
            raise InputError(
                f"--extra_labels {self.extra_labels}: is the first label set already (--labels)"
            )
        for name in self.logger:
            if name not in LOGGERS:
                raise InputError(f"--logger {name}: must be {join_choices(list(LOGGERS))}")
        for name in ("flip", "erase", "brightness", "contrast", "corrupt"):
            _check_range(name, getattr(self, name), 0.0, 1.0)
        for name in ("shift", "scale"):
            _check_range(name, getattr(self, name), 0.0, 0.9)
        _check_range("rotate", self.rotate, 0.0, 180.0)
        if self.name is not None and (not self.name.strip(".") or set(self.name) & set("/\\:\0\n")):
            raise InputError(f"--name {self.name!r}: a folder's name, without '/', '\\' or ':'")


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"--{name} {value}: must be between {low} and {high}")


def config_to_dict(config: DataConfig) -> dict[str, Any]:
    """Return a config's fields as plain values, for YAML, JSON and checkpoints."""
    return dataclasses.asdict(config)


def config_from_dict(values: dict[str, Any]) -> TrainConfig:
    """Return the config of a record; missing fields take the defaults, not a preset's values.

    A preset may have changed since the record was written.

    Raises:
        InputError: a value is not allowed.
        TypeError: a field is unknown.
    """
    defaults: dict[str, Any] = {}
    for one in dataclasses.fields(TrainConfig):
        if one.default is not dataclasses.MISSING:
            defaults[one.name] = one.default
        elif one.default_factory is not dataclasses.MISSING:
            defaults[one.name] = one.default_factory()
    return TrainConfig(**defaults | rename_fields(values) | data_config_fields(values))


def data_config_fields(values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a config that describe the data.

    The labels 'fer2013' become 'original': both read the same labels of FER-2013, and records of
    earlier versions say 'fer2013' of any data.

    Args:
        values: fields of a config or of a record.
    """
    own = {f.name: values[f.name] for f in dataclasses.fields(DataConfig) if f.name in values}
    return own | ({"labels": "original"} if own.get("labels") == "fer2013" else {})


def find_labels_option(label_set: str) -> str:
    """Return the value of ``--labels`` that reads a label set, such as 'own' or 'ferplus'."""
    return label_set if label_set in LABELS else "original"


def list_presets() -> list[str]:
    """Return the names of the presets that come with the package, sorted."""
    folder = resources.files("emotion_detection") / "configs"
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


def read_preset(name: str) -> dict[str, Any]:
    """Return a preset's fields.

    Raises:
        InputError: there is no preset of that name.
    """
    import yaml

    with open(find_preset(name), encoding="utf-8") as file:
        values: dict[str, Any] = yaml.safe_load(file)
    return values


def find_preset(name: str) -> str:
    """Return the YAML file of a preset.

    Raises:
        InputError: there is no preset of that name.
    """
    if name not in list_presets():
        raise InputError(f"--preset {name}: no such preset; there are: {', '.join(list_presets())}")
    return str(resources.files("emotion_detection") / "configs" / f"{name}.yaml")
