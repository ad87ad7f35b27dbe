"""What an option is called here that people know by another name from other tools."""

import difflib
from collections.abc import Sequence

_MEANINGS = {
    "adam": "--optimizer adam",
    "accelerator": "--trainer.accelerator",
    "amp": "--trainer.precision 16-mixed",
    "arch": "--network",
    "architecture": "--network",
    "augment": "--flip, --rotate, --shift, --scale, --brightness, --contrast or --erase",
    "auto_lr_find": "--find_learning_rate",
    "backbone": "--network",
    "batch": "--batch_size",
    "batchsize": "--batch_size",
    "bf16": "--trainer.precision bf16-mixed",
    "bs": "--batch_size",
    "cache_dir": "--cache",
    "checkpoint": "--model|--init or --resume",
    "ckpt": "--model|--init or --resume",
    "ckpt_path": "--model|--resume",
    "conf": "--threshold or --least_score|--least_score",
    "confidence": "--threshold or --least_score|--least_score",
    "cpu": "--trainer.accelerator cpu",
    "cuda": "--trainer.accelerator gpu",
    "data_dir": "--data",
    "data_path": "--data",
    "data_root": "--data",
    "dataset": "--data",
    "ddp": "--trainer.strategy ddp",
    "decay": "--weight_decay",
    "device": "--trainer.accelerator or --trainer.devices",
    "devices": "--trainer.devices",
    "dir": "--data",
    "drop": "--dropout",
    "dropout_rate": "--dropout",
    "early_stop": "--patience",
    "early_stopping": "--patience",
    "early_stopping_patience": "--patience",
    "ema_decay": "--ema",
    "epoch": "--epochs",
    "es_patience": "--patience",
    "exp_name": "--name",
    "experiment": "--name",
    "file": "--data",
    "finetune": "--init",
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
    "image_size": "--size",
    "img": "--size",
    "img_size": "--size",
    "imgsz": "--size",
    "input": "--data",
    "input_size": "--size",
    "l2": "--weight_decay",
    "label": "--labels",
    "load": "--model|--init or --resume",
    "log_dir": "--logs",
    "logdir": "--logs",
    "lr": "--learning_rate",
    "lr0": "--learning_rate",
    "lr_find": "--find_learning_rate",
    "lr_finder": "--find_learning_rate",
    "lr_scheduler": "--schedule",
    "max_epochs": "--epochs",
    "max_steps": "--trainer.max_steps",
    "max_time": "--trainer.max_time",
    "mirror": "--flip",
    "model": "--network, or --init for weights",
    "model_dir": "--models",
    "model_name": "--network",
    "model_path": "--model|--init or --resume",
    "net": "--network",
    "nproc": "--trainer.devices",
    "num_devices": "--trainer.devices",
    "num_epochs": "--epochs",
    "num_gpus": "--trainer.devices with --trainer.accelerator gpu",
    "n_epochs": "--epochs",
    "optim": "--optimizer",
    "out": "--models",
    "out_dir": "--out|--models",
    "output": "--out|--models",
    "output_dir": "--out|--models",
    "outdir": "--out|--models",
    "path": "--data",
    "per_device_train_batch_size": "--batch_size",
    "precision": "--trainer.precision",
    "pretrained_weights": "--init",
    "profiler": "--trainer.profiler",
    "project": "--models",
    "random_seed": "--seed",
    "resolution": "--size",
    "restore": "--resume",
    "resume_from_checkpoint": "--resume",
    "root": "--data",
    "rotation": "--rotate",
    "run_name": "--name",
    "save_dir": "--out|--models",
    "sched": "--schedule",
    "scheduler": "--schedule",
    "source": "--data",
    "strategy": "--trainer.strategy",
    "test_size": "--test_fraction",
    "test_split": "--test_fraction",
    "tune": "--init",
    "val_fraction": "--validation_fraction",
    "val_size": "--validation_fraction",
    "val_split": "--validation_fraction",
    "warmup_epochs": "--warmup",
    "warmup_steps": "--warmup",
    "wd": "--weight_decay",
    "weights": "--model|--init",
    "trainer.amp_level": "--trainer.precision",
    "trainer.auto_lr_find": "--find_learning_rate",
    "trainer.auto_select_gpus": "--trainer.devices",
    "trainer.checkpoint_callback": "",
    "trainer.gpus": "--trainer.devices with --trainer.accelerator gpu",
    "trainer.max_nb_epochs": "--epochs",
    "trainer.num_gpus": "--trainer.devices with --trainer.accelerator gpu",
    "trainer.num_processes": "--trainer.devices",
    "trainer.progress_bar_refresh_rate": "--trainer.enable_progress_bar",
    "trainer.resume_from_checkpoint": "--resume",
    "trainer.tpu_cores": "--trainer.devices",
    "trainer.weights_summary": "--trainer.enable_model_summary",
}
"""Names from other tools -> the options here; those before '|' go where the command has them."""

_ANSWERS = {
    "num_workers": "batches are read without worker processes",
    "workers": "batches are read without worker processes",
    "num_classes": "the classes are those of the data",
    "n_classes": "the classes are those of the data",
    "momentum": "sgd has Nesterov's momentum of 0.9",
    "verbose": "nothing more is printed",
}
"""Names from other tools of what cannot be chosen here, and why."""

_CLOSE = 0.7


def suggest(name: str, options: Sequence[str], command: str) -> str:
    """Return the end of the message that an option does not exist.

    What the name means comes before how it is spelt, so that ``--lr`` is not answered with
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
    if meant := _meaning(plain, known):
        return f"; did you mean {meant}?"
    if (answer := _ANSWERS.get(plain)) and "train" in command:
        return f": {answer}"
    begun = [option for option in known if len(plain) > 2 and option.startswith(f"--{plain}")]
    names = [option.removeprefix("--") for option in known]
    close = begun or [f"--{found}" for found in _closest(plain, names)]
    return f"; did you mean {close[0]}?" if close else f"; '{command} --help' lists them"


def _meaning(plain: str, known: Sequence[str]) -> str | None:
    for choice in _MEANINGS.get(plain, "").split("|"):
        named = [word.strip(",") for word in choice.split() if word.startswith("--")]
        if named and all(word in known for word in named):
            return choice
    return None


def _closest(plain: str, names: Sequence[str]) -> list[str]:
    group, dot, own = plain.rpartition(".")
    if dot:  # within its group alone: 'trainer.' would make all of them alike
        members = [name.removeprefix(f"{group}.") for name in names if name.startswith(f"{group}.")]
        return [f"{group}.{n}" for n in difflib.get_close_matches(own, members, 1, _CLOSE)]
    return difflib.get_close_matches(plain, [name for name in names if "." not in name], 1, _CLOSE)
