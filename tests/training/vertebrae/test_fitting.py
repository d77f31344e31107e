"""Training runs on drawn films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import TrainerCallback, set_seed

from spinealign.alignment.preparing import prepare
from spinealign.networks.vertebrae import VertebraNetwork
from spinealign.phantoms.frontal_spine import draw_frontal_spine
from spinealign.training.setup import make_setup
from spinealign.training.vertebrae.arguments import VertebraSetup
from spinealign.training.vertebrae.dataset import FilmDataset, StoredFilm, collate
from spinealign.training.vertebrae.fitting import Others, fit_network
from spinealign.training.vertebrae.trainer import VertebraTrainer


def drawn_film(seed: int) -> StoredFilm:
    drawn = draw_frontal_spine([-10, 15, -5], seed=seed, height=512)
    shares = (drawn.corners + 0.5) / drawn.slice.shape[::-1]
    return StoredFilm.store(prepare(drawn.slice), shares=shares, reliable=np.ones(17, bool))


@pytest.fixture(scope="module")
def films() -> list[StoredFilm]:
    return [drawn_film(seed) for seed in range(4)]


def small_setup(folder: Path, epochs: int = 4) -> VertebraSetup:
    setup = make_setup(
        "drawn",
        folder,
        task="vertebrae",
        width=0.25,
        coarse_height=256,
        input_height=256,
        num_train_epochs=epochs,
        per_device_train_batch_size=2,
        dataloader_num_workers=0,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    assert isinstance(setup, VertebraSetup)
    return setup


def assert_equal_weights(one: torch.nn.Module, other: torch.nn.Module) -> None:
    for name, value in other.state_dict().items():
        assert torch.equal(one.state_dict()[name], value), name


class Kill(TrainerCallback):
    """Callback that ends the process in the third epoch, as Ctrl-C does."""

    def on_epoch_begin(self, args, state, control, **kwargs) -> None:
        if state.epoch >= 2:
            raise KeyboardInterrupt


def test_a_killed_training_continues_to_the_same_weights(
    films: list[StoredFilm], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, _ = fit_network(films, Others(), setup=small_setup(tmp_path), folder=tmp_path / "straight")
    with monkeypatch.context() as patched:
        start = VertebraTrainer.__init__

        def killed(self: VertebraTrainer, *args, **kwargs) -> None:
            start(self, *args, **kwargs)
            self.add_callback(Kill())

        patched.setattr(VertebraTrainer, "__init__", killed)
        with pytest.raises(KeyboardInterrupt):
            fit_network(films, Others(), setup=small_setup(tmp_path), folder=tmp_path / "killed")

    continued, history = fit_network(films, Others(), setup=small_setup(tmp_path), folder=tmp_path / "killed")

    assert history[-1]["step"] == 8
    assert_equal_weights(continued, straight)
    set_seed(small_setup(tmp_path).training.seed)
    untrained = VertebraNetwork(straight.config).scout.head[2].weight
    scout = straight.scout.head[2].weight
    assert not torch.equal(scout, untrained)  # it was copied from the locator
    assert not torch.equal(scout, straight.locator.head[2].weight)  # at an earlier epoch


def test_a_finished_training_is_not_repeated(films: list[StoredFilm], tmp_path: Path) -> None:
    first, _ = fit_network(films, Others(), setup=small_setup(tmp_path, 2), folder=tmp_path / "run")
    written = sorted(path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.safetensors"))

    again, _ = fit_network(films, Others(), setup=small_setup(tmp_path, 2), folder=tmp_path / "run")

    assert_equal_weights(again, first)
    assert sorted(path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.safetensors")) == written


def test_other_films_do_not_continue_a_killed_training(films: list[StoredFilm], tmp_path: Path) -> None:
    fit_network(films[:2], Others(), setup=small_setup(tmp_path, 1), folder=tmp_path / "run")

    with pytest.raises(ValueError, match="unfinished run with other options"):
        fit_network(films[2:], Others(), setup=small_setup(tmp_path, 1), folder=tmp_path / "run")


def test_a_batch_chains_crops_and_backgrounds_have_none(films: list[StoredFilm]) -> None:
    blank = StoredFilm(films[0].fine, films[0].tall, np.zeros((0, 4, 2)), np.zeros(0, bool))
    dataset = FilmDataset(films * 3, [blank], shapes=[(256, 64)], count=17, seed=0)
    spine = next(item for item in (dataset[place] for place in range(12)) if len(item["crops"]))
    background = dataset[12]

    batch = collate([spine, background])

    assert batch["pixel_values"].shape == (2, 1, 256, 64)
    assert batch["heat"][0].max() == 1
    assert batch["heat"][1].max() == 0
    assert len(batch["crops"]) == len(batch["crop_corners"]) == len(batch["neighbors"]) == len(spine["crops"]) > 0


def test_views_depend_on_seed_and_epoch(films: list[StoredFilm]) -> None:
    dataset = FilmDataset(films, [], shapes=[(256, 64), (256, 64)], count=17, seed=0)
    first = dataset[1]["pixel_values"]
    dataset.set_epoch(1)
    second = dataset[1]["pixel_values"]
    dataset.set_epoch(0)

    assert not torch.equal(first, second)
    assert torch.equal(first, dataset[1]["pixel_values"])


def test_doubtful_vertebrae_are_ignored(films: list[StoredFilm]) -> None:
    film = films[0]
    doubtful = StoredFilm(film.fine, film.tall, film.corners, np.arange(17) != 5)
    items = [FilmDataset([each], [], shapes=[(256, 64)], count=17, seed=2)[0] for each in (film, doubtful)]

    assert not items[0]["ignored"].any()
    assert items[1]["ignored"].any()
    assert items[1]["heat"][items[1]["ignored"]].max() == 1
