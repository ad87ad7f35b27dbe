"""Settings of the commands: frozen, checked when made, free of torch.

Every field is an option of the command line; defaults live here and nowhere else. A preset in
``configs/`` is a YAML file of the same fields.
"""

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal, TypeVar

from emotion_detection.errors import InputError
from emotion_detection.field_types import check_types, join_choices
from emotion_detection.plain_values import check_plain_options

T = TypeVar("T")

LOGGERS = ("tensorboard", "csv", "wandb", "mlflow")
"""What ``--logger`` may name."""


@dataclass(frozen=True)
class DataConfig:
    """Which faces, and how they are read.

    Args:
        data: a path, or several between blanks, quoted as in a shell; or 'auto' (what is in
            data/, else download, else drawn faces), 'fer2013' or 'demo' (drawn faces).
        labels: 'fer2013' for the labels that stand with the faces, whatever their classes;
            'ferplus' for FER+'s votes, from fer2013new.csv beside FER-2013.
        votes: how FER+'s votes become training targets: 'probability' (distributions) or
            'majority' (one class); validation and test always take the majority.
        size: height and width of a face in pixels.
        channels: 1 for grey, 3 for colour.
        split_seed: seed of the split, for data that brings none.
        validation_fraction: share of the faces to split off for validation where there is none.
        test_fraction: share of the faces to split off for testing where there is none.
        person: whose face each is, so that nobody is in two splits: a regular expression that is
            searched in the face's name (its first group counts, else all that it matches), or the
            number of a folder in the name (1: the first, -1: the last); null: the column
            'person', where the data has one.
        folds: number of folds for cross-validation; null: one split.
        fold: which of the folds to test on, 1 to folds; null: one after another.
        max_corrupt: largest share of unreadable pictures that is let pass.
        classes: the classes to keep; none: all.
        rename: new names of classes, OLD=NEW each; two of one new name become one class.
        crop: 'faces' to find the largest face of each image and cut it out as 'predict' does;
            'none' for images that are cut-out faces.
        cache: folder of the decoded faces; 'auto': the one that the environment variable
            EMOTION_CACHE names, else one in the user's folder for caches.
        cache_limit: gigabytes that decoded faces may take there; the least recently used datasets
            are removed first; null: any.
    """

    data: str = "auto"
    labels: Literal["fer2013", "ferplus"] = "fer2013"
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
        _within("size", self.size, 16, 1024)
        _within("validation_fraction", self.validation_fraction, 0.0, 0.5)
        _within("test_fraction", self.test_fraction, 0.0, 0.5)
        _within("max_corrupt", self.max_corrupt, 0.0, 1.0)
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
            _within("folds", self.folds, 2, 100)
        if self.fold is not None:
            if self.folds is None:
                raise InputError(f"--fold {self.fold}: needs --folds, the number of folds")
            _within("fold", self.fold, 1, self.folds)
        try:
            re.compile(self.person or "")
        except re.error as error:
            raise InputError(
                f"--person {self.person}: no regular expression ({error}), nor the number of a "
                "folder in the faces' names"
            ) from None


def _started_from_preset(cls: type[T]) -> type[T]:
    """Let a config take what it is not given from the preset that it is given."""
    init: Callable[..., None] = cls.__init__
    names = list(inspect.signature(cls).parameters)

    @functools.wraps(init)
    def start(self: T, *values: Any, **named: Any) -> None:
        given = dict(zip(names, values, strict=False)) | named
        if "preset" in given and len(given) < len(names):
            begun = preset_values(given["preset"])
            if isinstance(given.get("trainer", {}), dict):
                given["trainer"] = begun.get("trainer", {}) | given.get("trainer", {})
            given = begun | given
        init(self, **given)

    setattr(cls, init.__name__, start)  # its signature stays, by wraps
    return cls


@_started_from_preset
@dataclass(frozen=True)
class TrainConfig(DataConfig):
    """One training.

    A preset that is named gives the values that are not:
    ``TrainConfig(preset="compact", data="faces", epochs=5)`` is
    ``emotion train --preset compact --data faces --epochs 5``. A config with all its fields given
    (a copy, a record) is taken as it is.

    Args:
        preset: name of the preset that the other values start from.
        network: 'baseline' (three convolutions with ReLU and max pooling), 'quick' (the same,
            smaller and faster), 'compact', 'large' (residual), or a backbone of timm by its
            name, such as 'resnet18'.
        pretrained: start a backbone of timm from the weights that timm publishes (true; needs the
            internet once), or from a file of weights (.safetensors, .pth) of the same network.
        frozen: train the last layer alone.
        also: a second label set, 'fer2013' or 'ferplus', learnt beside the first with logits of
            its own; the best checkpoint goes by the mean accuracy over both.
        also_weight: weight of its loss.
        intensity_weight: weight of the loss of the intensity, where the data gives one; 0: the
            model has none.
        dropout: probability that a hidden unit is dropped.
        epochs: passes over the training faces.
        batch_size: faces a step, over all processes together.
        optimizer: 'adam', 'adamw', or 'sgd' with Nesterov's momentum of 0.9.
        learning_rate: step size of the optimizer, at its highest.
        find_learning_rate: find the learning rate in 100 steps before the training, instead of
            learning_rate; the run records what was found.
        weight_decay: pull of the weights (not of biases and norms) towards zero.
        schedule: how the step size falls: 'constant', 'cosine' or 'linear' to zero.
        warmup: share of all steps over which the step size rises to its highest.
        ema: decay a step of the moving average of the weights that is validated and kept; 0: none.
        label_smoothing: share of a label that is spread over all classes.
        class_balance: 0: faces count equally; 1: classes do; between: weights in between.
        logit_adjustment: exponent of the class frequencies that scores are divided by after
            training, so that rare classes are predicted more often: 0 not at all, 1 as if all
            classes were equally frequent.
        mixup: alpha of the Beta distribution that says how two faces are mixed; 0: none.
        teacher: runs (folders or checkpoints) whose scores are learnt too; several are averaged.
        teacher_weight: share of the loss that goes by the teachers.
        patience: stop after this many epochs without a better validation accuracy; null: never.
        flip: probability of mirroring a face.
        rotate: largest rotation in degrees.
        shift: largest shift as a share of the face's width.
        scale: largest change of size as a share.
        brightness: largest change of brightness as a share.
        contrast: largest change of contrast as a share.
        erase: probability of blanking a small rectangle.
        corrupt: how many faces are corrupted as cameras and files do it (blur, noise, low
            resolution, compression, darkness, covered parts, other crops): 0 none, 1 four in five.
        exclude: file that lists faces to leave out of training and validation, one a line.
        seed: seed of the weights, the order of the faces, dropout and augmentation.
        init: start from the weights of this run (folder or checkpoint), or 'pretrained': of the
            model that comes with the package.
        name: name of the run; by default made of preset and time.
        models: folder that runs are written to.
        logs: folder that curves are written to.
        logger: loggers beside metrics.csv: 'tensorboard', 'csv', 'wandb' or 'mlflow', or several.
        trainer: further fields of Lightning's Trainer.
    """

    preset: str = "baseline"
    network: str = "baseline"
    pretrained: bool | str = False
    frozen: bool = False
    also: Literal["fer2013", "ferplus"] | None = None
    also_weight: float = 1.0
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
        preset_path(self.preset)
        _within("dropout", self.dropout, 0.0, 0.95)
        _within("epochs", self.epochs, 1, 1_000_000)
        _within("batch_size", self.batch_size, 1, 1_000_000)
        _within("seed", self.seed, 0, 2**32 - 1)
        if not 0 < self.learning_rate <= 10:
            raise InputError(f"--learning_rate {self.learning_rate}: above 0 and at most 10")
        if self.patience is not None:
            _within("patience", self.patience, 1, 1_000_000)
        _within("weight_decay", self.weight_decay, 0.0, 10.0)
        for name in ("also_weight", "intensity_weight", "mixup"):
            _within(name, getattr(self, name), 0.0, 100.0)
        for name in ("warmup", "label_smoothing"):
            _within(name, getattr(self, name), 0.0, 0.9)
        _within("ema", self.ema, 0.0, 0.99999)
        for name in ("class_balance", "teacher_weight", "logit_adjustment"):
            _within(name, getattr(self, name), 0.0, 1.0)
        check_plain_options(self.trainer, "--trainer")
        for name in self.logger:
            if name not in LOGGERS:
                raise InputError(f"--logger {name}: must be {join_choices(list(LOGGERS))}")
        if self.also == self.labels:
            raise InputError(f"--also {self.also}: is the first label set already (--labels)")
        for name in ("flip", "erase", "brightness", "contrast", "corrupt"):
            _within(name, getattr(self, name), 0.0, 1.0)
        for name in ("shift", "scale"):
            _within(name, getattr(self, name), 0.0, 0.9)
        _within("rotate", self.rotate, 0.0, 180.0)
        if self.name is not None and (not self.name.strip(".") or set(self.name) & set("/\\:\0\n")):
            raise InputError(f"--name {self.name!r}: a folder's name, without '/', '\\' or ':'")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"--{name} {value}: must be between {low} and {high}")


def as_dict(config: DataConfig) -> dict[str, Any]:
    """Return a config's fields as plain values, for YAML, JSON and checkpoints."""
    return dataclasses.asdict(config)


def config_of(values: dict[str, Any]) -> TrainConfig:
    """Return the config of a record: fields that it lacks take their defaults, not a preset's.

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
    return TrainConfig(**defaults | values)


def data_fields(values: dict[str, Any]) -> dict[str, Any]:
    """Keep of some config's values those that say which faces, and how they are read."""
    return {f.name: values[f.name] for f in dataclasses.fields(DataConfig) if f.name in values}


def presets() -> list[str]:
    """Return the names of the presets that come with the package, sorted."""
    folder = resources.files("emotion_detection") / "configs"
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


def preset_values(name: str) -> dict[str, Any]:
    """Return a preset's fields.

    Raises:
        InputError: there is no preset of that name.
    """
    import yaml

    with open(preset_path(name), encoding="utf-8") as file:
        values: dict[str, Any] = yaml.safe_load(file)
    return values


def preset_path(name: str) -> str:
    """Return the YAML file of a preset.

    Raises:
        InputError: there is no preset of that name.
    """
    if name not in presets():
        raise InputError(f"--preset {name}: no such preset; there are: {', '.join(presets())}")
    return str(resources.files("emotion_detection") / "configs" / f"{name}.yaml")
