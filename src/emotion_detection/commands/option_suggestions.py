"""Suggest the right name for unknown options and commands."""

import difflib
from collections.abc import Sequence

_MEANINGS = {
    "accelerator": "--trainer.accelerator",
    "adam": "--optimizer adam",
    "amp": "--trainer.precision 16-mixed",
    "arch": "--network",
    "architecture": "--network",
    "augment": "--flip, --rotate, --shift, --scale, --brightness, --contrast or --erase|--views",
    "auto_lr_find": "--find_learning_rate",
    "backbone": "--network",
    "bf16": "--trainer.precision bf16-mixed",
    "cache_dir": "--cache",
    "checkpoint": "--init or --resume",
    "ckpt": "--init or --resume",
    "ckpt_path": "--model|--resume",
    "conf": "--min_confidence|--min_score",
    "cpu": "--trainer.accelerator cpu",
    "csv": "--out FILE.csv",
    "cuda": "--trainer.accelerator gpu",
    "data_path": "--data",
    "data_root": "--data",
    "ddp": "--trainer.strategy ddp",
    "decay": "--weight_decay",
    "dir": "--data",
    "drop": "--dropout",
    "dropout_rate": "--dropout",
    "early_stop": "--patience",
    "early_stopping": "--patience",
    "early_stopping_patience": "--patience",
    "ema_decay": "--ema",
    "es_patience": "--patience",
    "exp_name": "--name",
    "experiment": "--name",
    "fine_tune": "--init",
    "finetune": "--init",
    "format": "--out FILE.csv, FILE.jsonl or FILE.parquet",
    "fp16": "--trainer.precision 16-mixed",
    "freeze": "--frozen",
    "freeze_backbone": "--frozen",
    "gpu": "--trainer.accelerator gpu",
    "gpus": "--trainer.devices with --trainer.accelerator gpu",
    "grad_clip": "--trainer.gradient_clip_val",
    "gradient_accumulation_steps": "--trainer.accumulate_grad_batches",
    "gradient_clip": "--trainer.gradient_clip_val",
    "half": "--trainer.precision 16-mixed",
    "hflip": "--flip",
    "img": "--size|--detection_size (files are named without an option)",
    "input_size": "--size",
    "jsonl": "--out FILE.jsonl or --json",
    "l2": "--weight_decay",
    "label": "--labels",
    "load": "--model|--init or --resume",
    "log_dir": "--logs",
    "logdir": "--logs",
    "lr_find": "--find_learning_rate",
    "lr_finder": "--find_learning_rate",
    "lr_scheduler": "--schedule",
    "max_steps": "--trainer.max_steps",
    "max_time": "--trainer.max_time",
    "mirror": "--flip|--views 2",
    "model": "--network for the architecture or --init for weights",
    "model_dir": "--models",
    "model_name": "--network",
    "model_path": "--init or --resume",
    "net": "--network",
    "nproc": "--trainer.devices",
    "num_devices": "--trainer.devices",
    "num_gpus": "--trainer.devices with --trainer.accelerator gpu",
    "out": "--models",
    "out_dir": "--out|--models",
    "output": "--out|--models",
    "output_dir": "--out|--models",
    "outdir": "--out|--models",
    "per_device_train_batch_size": "--batch_size",
    "precision": "--trainer.precision",
    "pretrained_weights": "--init",
    "profiler": "--trainer.profiler",
    "project": "--models|--out",
    "resolution": "--size|--detection_size",
    "restore": "--resume",
    "resume_from_checkpoint": "--resume",
    "root": "--data",
    "rotation": "--rotate",
    "save": "--annotate for images or --out for a table|--out",
    "save_dir": "--out or --annotate|--out|--models",
    "save_txt": "--out FILE.csv",
    "sched": "--schedule",
    "scheduler": "--schedule",
    "steps": "--trainer.max_steps",
    "strategy": "--trainer.strategy",
    "test_size": "--test_fraction",
    "test_split": "--test_fraction",
    "tta": "--views 2",
    "tune": "--init",
    "val_fraction": "--validation_fraction",
    "val_size": "--validation_fraction",
    "val_split": "--validation_fraction",
    "visualize": "--annotate",
    "warmup_epochs": "--warmup",
    "warmup_steps": "--warmup",
    "weights": "--init or --resume",
    "trainer.amp_level": "--trainer.precision",
    "trainer.auto_lr_find": "--find_learning_rate",
    "trainer.auto_select_gpus": "--trainer.devices",
    "trainer.gpus": "--trainer.devices with --trainer.accelerator gpu",
    "trainer.max_nb_epochs": "--epochs",
    "trainer.num_gpus": "--trainer.devices with --trainer.accelerator gpu",
    "trainer.num_processes": "--trainer.devices",
    "trainer.progress_bar_refresh_rate": "--trainer.enable_progress_bar",
    "trainer.resume_from_checkpoint": "--resume",
    "trainer.tpu_cores": "--trainer.devices",
    "trainer.weights_summary": "--trainer.enable_model_summary",
}
"""Names in other tools -> options here; those before '|' are used if the command has them."""

_ANSWERS = {
    "train": {
        "classes": "the classes are those of the data",
        "n_classes": "the classes are those of the data",
        "num_classes": "the classes are those of the data",
        "num_workers": "batches are read without worker processes",
        "workers": "batches are read without worker processes",
        "momentum": "sgd has Nesterov momentum 0.9",
        "nesterov": "sgd has Nesterov momentum 0.9",
        "quiet": "--trainer.enable_progress_bar false hides the progress bar",
        "verbose": "nothing more can be printed",
    },
    "predict": {
        "classes": "all emotions are scored; choose in the table of --out",
        "half": "the networks run in 32 bits",
        "save_crop": "'emotion data crop IN OUT' writes the faces",
        "show": "no window is opened; --annotate DIR writes images",
        "stream": "results are printed as they are ready",
    },
    "test": {
        "device": "the GPU is used where PyTorch finds one, else the CPU",
        "devices": "the GPU is used where PyTorch finds one, else the CPU",
    },
    "": {
        "batch_size": "the command chooses it",
        "iou": "overlapping boxes of one face are merged without an option",
        "iou_thres": "overlapping boxes of one face are merged without an option",
        "trainer.checkpoint_callback": "the best and the last checkpoint are always kept",
        "verbose": "nothing more can be printed",
    },
}
"""Names in other tools without an equivalent, by command ('': any), and the reason."""

_COMMANDS = {
    "analyze": "predict",
    "audit": "data audit",
    "camera": "predict 0",
    "check": "data check",
    "classify": "predict",
    "detect": "predict",
    "download": "data download",
    "eval": "test",
    "evaluate": "test",
    "fit": "train",
    "infer": "predict",
    "inference": "predict",
    "info": "data info",
    "live": "predict 0",
    "recognize": "predict",
    "run": "predict",
    "server": "serve",
    "stream": "predict 0",
    "track": "predict",
    "val": "test",
    "validate": "test",
    "version": "--version",
    "web": "serve",
    "webcam": "predict 0",
}
"""Names of commands in other tools -> the command here."""

_CLOSE = 0.75
"""Minimum similarity of a misspelt name, by :mod:`difflib`."""


def suggest(name: str, options: Sequence[str], command: str) -> str:
    """Return the end of the message for an unknown option.

    Known meanings come before similar spellings: ``--lr`` suggests ``--learning_rate``, not
    ``--logs``.

    Args:
        name: the unknown option, as ``--lr``.
        options: all options of the command.
        command: the command, as ``emotion train``.
    """
    plain = name.removeprefix("--").replace("-", "_").lower()
    known = [option for option in options if option.startswith("--") and option != "--trainer"]
    if f"--{plain}" in known:
        return f"; did you mean --{plain}?"
    if meant := _meaning(plain, known, has_trainer="--help_trainer" in options):
        return f"; did you mean {meant}?"
    group = {"audit": "train", "report": "test"}.get(word := command.split()[-1], word)
    for answers in (_ANSWERS.get(group, {}), _ANSWERS[""]):
        if answer := answers.get(plain):
            return f": {answer}"
    if close := _alike(plain, [option.removeprefix("--") for option in known]):
        return f"; did you mean {' or '.join(f'--{found}' for found in close)}?"
    return f"; '{command} --help' lists the options"


def suggest_command(word: str, commands: Sequence[str]) -> str:
    """Return the end of the message for an unknown command.

    Args:
        word: the unknown command.
        commands: all commands.
    """
    meant = _COMMANDS.get(word.lower())
    if meant is None:
        close = difflib.get_close_matches(word.lower(), commands, 1, 0.6)
        meant = close[0] if close else None
    if meant is not None:
        return f". Did you mean '{meant}'?"
    return f"; the commands are {', '.join(commands)}"


def _meaning(plain: str, known: Sequence[str], has_trainer: bool) -> str | None:
    """Return the options that a name stands for, if the command has them.

    The options of Lightning's Trainer are added to a parser only where one is used.
    """
    for choice in _MEANINGS.get(plain, "").split("|"):
        named = [word.strip(",") for word in choice.split() if word.startswith("--")]
        if named and all(
            word in known or (has_trainer and word.startswith("--trainer.")) for word in named
        ):
            return choice
    return None


def _alike(plain: str, names: Sequence[str]) -> list[str]:
    """Return one or two options: misspelt, cut off, or with the typed words in their names."""
    group, dot, own = plain.rpartition(".")
    if dot:  # within its group only, since 'trainer.' would make all of them similar
        members = [name.removeprefix(f"{group}.") for name in names if name.startswith(f"{group}.")]
        return [f"{group}.{name}" for name in _alike(own, members)]
    names = [name for name in names if "." not in name]
    begun = [name for name in names if len(plain) > 2 and name.startswith(plain)]
    words = set(plain.split("_"))
    within = [name for name in names if len(plain) > 2 and words <= set(name.split("_"))]
    for found, most in ((begun, 4), (within, 2)):
        if 0 < len(found) <= most:
            return found
    return difflib.get_close_matches(plain, names, 1, _CLOSE)
