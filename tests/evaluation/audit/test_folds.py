import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from emotion_detection.data import load
from emotion_detection.data.exclude import read_excluded_names
from emotion_detection.errors import InputError
from emotion_detection.evaluation.audit import folds as folding
from emotion_detection.evaluation.audit.audited_faces import assign_folds, load_audited_faces
from emotion_detection.evaluation.audit.folds import predict_out_of_fold
from emotion_detection.training.callbacks import KeepBest
from emotion_detection.training.checkpoint import load_trained


@pytest.mark.parametrize("folds", [2, 5])
@pytest.mark.parametrize("seed", range(3))
def test_groups_stay_whole_and_classes_are_spread(folds, seed):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, 600)
    groups = np.arange(600)
    copies = generator.choice(600, 90, replace=False)
    groups[copies[30:]] = groups[copies[:30].repeat(2)]
    found = assign_folds(labels, groups, folds, seed)
    assert set(found) == set(range(folds))
    for group in np.unique(groups):
        assert len(set(found[groups == group])) == 1
    # copies with other labels, at most 60, are all that can make it uneven
    for label in range(4):
        counts = np.bincount(found[labels == label], minlength=folds)
        assert counts.max() - counts.min() <= 25
    assert np.ptp(np.bincount(found)) <= 4


def test_without_duplicates_classes_are_even_and_the_seed_decides():
    labels = np.arange(70) % 7
    found = assign_folds(labels, np.arange(70), 5, 0)
    for label in range(7):
        assert np.bincount(found[labels == label], minlength=5).tolist() == [2] * 5
    assert np.array_equal(found, assign_folds(labels, np.arange(70), 5, 0))
    assert not np.array_equal(found, assign_folds(labels, np.arange(70), 5, 1))


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of the finished trainings, to do harm to."""
    return shutil.copytree(whole[2], tmp_path / "copied")


def test_each_face_is_judged_by_a_network_that_saw_no_copy_of_it(whole):
    judged, looked, out = whole
    assert len(looked) == 102
    np.testing.assert_allclose(judged.scores.sum(axis=1), 1, rtol=1e-5)
    # the last six faces of train are copies of the first six
    assert np.array_equal(judged.folds[84:90], judged.folds[:6])
    for fold in range(2):
        mine = judged.folds == fold
        listed = read_excluded_names(out / f"folds/fold-{fold + 1}.csv")
        assert listed == {name for name, held in zip(looked.names, mine, strict=True) if held}
        # the scores are those of that fold's checkpoint, for the face and its mirror image
        trained = load_trained(out / f"folds/fold-{fold + 1}")
        images = torch.from_numpy(looked.images(mine)).float() / 255
        with torch.no_grad():
            expected = sum(
                (trained.network(view) / trained.temperatures["own"]).softmax(1)
                for view in (images, images.flip(3))
            )
        np.testing.assert_allclose(judged.scores[mine], expected.numpy() / 2, atol=1e-5)


def test_a_killed_audit_goes_on_and_ends_the_same(in_folds, whole, tmp_path, monkeypatch):
    trained = []
    train = folding.train

    def counted(config, resume=None, **more):
        trained.append((config.name or resume.name, resume is not None))
        return train(config, resume, **more)

    def killed(self, trainer, *_):
        if "fold-2" in str(trainer.default_root_dir) and trainer.current_epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(folding, "train", counted)
    with monkeypatch.context() as patched:
        patched.setattr(KeepBest, "on_train_epoch_start", killed, raising=False)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            in_folds(tmp_path)
    assert trained == [("fold-1", False), ("fold-2", False)]
    again, _ = in_folds(tmp_path)
    assert trained[2:] == [("fold-2", True)]
    assert np.array_equal(again.scores, whole[0].scores)
    assert np.array_equal(again.distances, whole[0].distances)
    in_folds(tmp_path)
    assert len(trained) == 3


def test_predictions_cut_short_are_made_again(in_folds, whole, copied):
    path = copied / "folds/fold-1/held-out.npz"
    path.write_bytes(path.read_bytes()[:100])
    again, _ = in_folds(copied)
    assert np.array_equal(again.scores, whole[0].scores)
    assert path.read_bytes()[:100] != path.read_bytes()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"epochs": 1}, "--epochs is another"), ({"count": 3}, "holds out other faces")],
)
def test_the_folds_of_another_audit_are_not_mixed_in(in_folds, copied, changes, reason):
    with pytest.raises(InputError, match=f"another audit .*{reason}.*--out"):
        in_folds(copied, **changes)


def test_a_class_that_cannot_be_held_out_is_refused(tmp_path, tiny_faces, write_manifest, recipe):
    faces = tiny_faces(20, size=16)
    faces[1] = faces[0]
    emotions = ["rare", "rare"] + ["calm", "glad"] * 9
    path = write_manifest(tmp_path, faces, emotions, ["train"] * 16 + ["validation", "test"] * 2)
    config = recipe(data=str(path))
    dataset = load(config)
    with pytest.raises(InputError, match="rare has 2 training faces without duplicates"):
        predict_out_of_fold(
            config, dataset, load_audited_faces(dataset, ("train",)), 2, tmp_path / "audit"
        )
    assert not (tmp_path / "audit").exists()


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("#1.png", "2.png"), "'#1.png': a face of this name cannot be left out"),
        (("a\nb.png", "2.png"), "cannot be left out"),
        (("\udce4.png", "2.png"), "cannot be left out"),
        (("1.png", "a/1.png"), "1.png: means several faces"),
    ],
)
def test_names_that_an_exclude_file_cannot_hold_are_refused(names, reason):
    faces = SimpleNamespace(names=list(names))
    dataset = SimpleNamespace(split=lambda _: faces)
    with pytest.raises(InputError, match=reason):
        load_audited_faces(dataset, ("train",))
