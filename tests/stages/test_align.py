from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from drawing import pair_data, tiny_generator, tiny_trainer
from killed_run import run, run_killed_and_on, run_on_two, weights
from sound2scene import artifacts
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadPictures
from sound2scene.latent import noise_rows
from sound2scene.losses.infonce import CosineInfoNCE, L2InfoNCE
from sound2scene.methods.sound2scene import FrozenGenerator
from sound2scene.metrics import familiarity
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.stages.align import AlignStage
from sound2scene.types import DataFacts, DivergedError, EncoderFacts, InputError
from spying import spied
from tiny import NET, Z_DIM, tiny_dataset, tiny_encoder, tiny_recipe, tiny_stage


@pytest.fixture
def data(tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path) -> ClipDataModule:
    return pair_data(tiny_shards, tiny_image_encoder, tmp_path / "features")


@pytest.mark.costly
def test_training_beats_chance_on_held_out_clips_by_a_factor_of_two(
    data: ClipDataModule, tmp_path: Path
) -> None:
    fast = partial(torch.optim.Adam, lr=1e-2)
    stage = tiny_stage(loss=CosineInfoNCE(0.05), optimizer=fast)
    trainer = tiny_trainer(tmp_path, max_epochs=12)
    trainer.fit(stage, data)
    found = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert found["val/class/audio_to_image/recall_at_1"] >= 2 * found["val/class/chance_at_1"]
    assert found["val/class/chance_at_1"] == pytest.approx(1 / 3, abs=1e-6)


@pytest.mark.costly
def test_only_the_audio_encoder_moves_and_the_image_encoder_is_not_part_of_the_stage(
    data: ClipDataModule, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    before = load_file(tiny_image_encoder / "weights.safetensors")
    stage = tiny_stage()
    start = {name: value.clone() for name, value in stage.audio_encoder.named_parameters()}
    tiny_trainer(tmp_path).fit(stage, data)
    assert all(not torch.equal(start[name], value) for name, value in stage.audio_encoder.named_parameters())
    assert all(name.startswith(("audio_encoder.", "loss.")) for name in stage.state_dict())
    after = load_file(tiny_image_encoder / "weights.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.costly
def test_a_learnable_temperature_is_moved_by_the_optimizer_and_a_fixed_one_is_not(
    data: ClipDataModule, tmp_path: Path
) -> None:
    for learnable in (True, False):
        loss = L2InfoNCE(0.5, learnable)
        start = loss.log_scale.detach().clone()
        tiny_trainer(tmp_path).fit(tiny_stage(loss=loss), data)
        assert torch.equal(loss.log_scale.detach(), start) != learnable


@pytest.mark.costly
def test_the_step_follows_the_gradient_of_the_paper_loss(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    stage = tiny_stage(optimizer=partial(torch.optim.SGD, lr=0.1))
    data = pair_data(tiny_shards, tiny_image_encoder, tmp_path / "features", batch_size=18)
    trainer = tiny_trainer(tmp_path, max_steps=1, max_epochs=-1, limit_val_batches=0)
    start = stage.audio_encoder.fc.bias.detach().clone()
    trainer.fit(stage, data)
    twin = tiny_stage()
    batch = next(iter(data.train_dataloader()))
    L2InfoNCE()(twin(batch.waveform_BT), batch.z_image_BD).backward()
    torch.testing.assert_close(
        stage.audio_encoder.fc.bias.detach(), start - 0.1 * twin.audio_encoder.fc.bias.grad
    )


def test_features_of_another_width_are_refused_with_both(data: ClipDataModule, tmp_path: Path) -> None:
    stage = AlignStage(AudioEncoder(16, "resnet18", NET))
    told = (
        r"^\S+image-encoder: features have 8 dimensions and audio_encoder\.z_dim is 16; make them the same$"
    )
    with pytest.raises(InputError, match=told):
        tiny_trainer(tmp_path).fit(stage, data)


def test_data_without_features_is_told_the_key_that_names_their_encoder(
    tiny_shards: Path, tmp_path: Path
) -> None:
    told = r"^align needs features of pictures; name data\.init_args\.features\.image_encoder$"
    data = ClipDataModule(str(tiny_shards), 6, 0, read=ReadPictures("pixels32"))
    with pytest.raises(InputError, match=told):
        tiny_trainer(tmp_path).fit(tiny_stage(), data)
    with pytest.raises(InputError, match=told):
        tiny_stage().checked(DataFacts())


def test_a_nan_stops_the_run_with_step_loss_and_clips(data: ClipDataModule, tmp_path: Path) -> None:
    stage = tiny_stage()
    with torch.no_grad():
        stage.audio_encoder.fc.weight.fill_(torch.nan)
    with pytest.raises(DivergedError, match=r"step 0: L2InfoNCE is nan for clips train-0\d\d, train-"):
        tiny_trainer(tmp_path, limit_val_batches=0).fit(stage, data)


@pytest.mark.parametrize("work", ["validate", "predict"])
def test_a_nan_stops_what_measures_or_predicts_too(work: str, data: ClipDataModule, tmp_path: Path) -> None:
    stage = tiny_stage()
    with torch.no_grad():
        stage.audio_encoder.fc.weight.fill_(torch.nan)
    with pytest.raises(DivergedError, match=r"step 0: z_audio is NaN or infinite for clips val-0"):
        getattr(tiny_trainer(tmp_path), work)(stage, data)


@pytest.mark.costly
def test_another_image_encoder_never_meets_an_old_cache(tiny_shards: Path, tmp_path: Path) -> None:
    rows = []
    for seed in (0, 1):
        encoder = tiny_encoder(tmp_path / "encoder", seed)
        data = pair_data(tiny_shards, encoder, tmp_path / "features")
        tiny_trainer(tmp_path, max_steps=0).fit(tiny_stage(), data)
        rows.append(data.examples("train", [0]).z_image_BD)
    assert not torch.allclose(*rows)


@pytest.mark.costly
def test_the_test_split_is_read_by_test_alone(
    data: ClipDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = spied(monkeypatch, ClipDataModule, "open")
    stage, trainer = tiny_stage(), tiny_trainer(tmp_path)
    trainer.fit(stage, data)
    assert set(opened) == {"train", "val"}
    trainer.test(stage, data, verbose=False)
    assert set(opened) == {"train", "val", "test"}
    assert all(name.startswith("test/") for name in trainer.callback_metrics)


@pytest.mark.slow
def test_killed_in_training_and_going_on_equals_never_stopped_bitwise(
    tiny_image_encoder: Path, tmp_path: Path
) -> None:
    shards = tiny_dataset(tmp_path / "shards", train=27)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
        tiny_recipe(folder / "recipe.yaml", shards, tiny_image_encoder, checkpoint_steps=4)
    run(whole / "recipe.yaml")
    saved = broken / "runs/align/tiny/version_0/checkpoints/last.ckpt"
    run_killed_and_on(broken / "recipe.yaml", saved, batches=9)
    expected, found = weights(whole, "last"), weights(broken, "last")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def gradients_after_one_step(
    folder: Path, tiny: tuple[Path, Path], processes: int
) -> dict[str, torch.Tensor]:
    """Gradients of a global batch of 8 on some processes, as the step of plain descent at rate 1."""
    folder.mkdir()
    recipe = tiny_recipe(folder / "recipe.yaml", *tiny)
    # Group norm: batch norm over 4 clips is another function than over 8.
    more = ["--model.init_args.audio_encoder.init_args.backbone_options.norm_layer", "groupnorm1"]
    more += ["--model.init_args.optimizer", '{"class_path": "torch.optim.SGD", "init_args": {"lr": 1.0}}']
    more += ["--model.init_args.schedule", "null", "--trainer.max_steps", "1", "--run.checkpoint_steps", "1"]
    more += ["--data.init_args.batch_size", str(8 // processes)]
    (run if processes == 1 else run_on_two)(recipe, *more)
    return weights(folder, "last")


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_the_whole_batch_and_validate_every_clip(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    one = gradients_after_one_step(tmp_path / "one", (tiny_shards, tiny_image_encoder), 1)
    two = gradients_after_one_step(tmp_path / "two", (tiny_shards, tiny_image_encoder), 2)
    assert one.keys() == two.keys()
    for name, weight in one.items():
        # Steps of size 0.1 to 1 through a whole network in float32; half the gradient would miss by thousands
        # of times.
        torch.testing.assert_close(
            two[name], weight, rtol=0, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_a_generator_of_another_image_encoder_is_refused(data: ClipDataModule, tmp_path: Path) -> None:
    other = tiny_encoder(tmp_path / "other", seed=1)
    generator = tiny_generator(tmp_path / "generator", other)
    stage = tiny_stage(drawing=FrozenGenerator(str(generator)))
    with pytest.raises(InputError, match=r"generator: belongs to image encoder [0-9a-f]{12}, not to"):
        tiny_trainer(tmp_path).fit(stage, data)


@pytest.mark.costly
def test_a_sounds_picture_is_the_generators_for_its_unit_latent_and_the_ceiling_is_that_of_z_image(
    data: ClipDataModule, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    folder = tiny_generator(tmp_path / "generator", tiny_image_encoder)
    stage = tiny_stage(drawing=FrozenGenerator(str(folder)))
    tiny_trainer(tmp_path).validate(stage, data, verbose=False)
    batch, generator = data.examples("val", [3, 1]), artifacts.load(folder)
    noise_BZ = noise_rows(generator, [7, 9], [2, 2])
    stage.eval()
    with torch.no_grad():
        for drawn, z_BD in (
            (stage.sample(batch, [7, 9], 2), stage(batch.waveform_BT)),
            (stage.sample_ceiling(batch, [7, 9], 2), batch.z_image_BD),
        ):
            expected = generator(noise_BZ, torch.nn.functional.normalize(z_BD, dim=1))
            torch.testing.assert_close(drawn, expected, rtol=0, atol=1e-5)
    assert stage.resolution == 32
    # Frozen, and no part of what is trained or saved.
    assert all(name.startswith(("audio_encoder.", "loss.")) for name in stage.state_dict())


def test_drawing_without_a_generator_names_the_key() -> None:
    with pytest.raises(InputError, match=r"model\.init_args\.drawing; name a generator"):
        _ = tiny_stage().resolution


def test_the_export_names_the_image_encoder_whose_space_was_learned(
    data: ClipDataModule, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    stage = tiny_stage()
    tiny_trainer(tmp_path).validate(stage, data, verbose=False)
    network, kind, preset, notes = stage.exports()
    assert (network, kind, preset) == (stage.audio_encoder, "audio-encoder", "log_mel")
    assert notes == {"image_encoder": artifacts.read_card(tiny_image_encoder).fingerprint}


def test_the_export_keeps_what_sounds_the_best_state_was_validated_on(
    data: ClipDataModule, tmp_path: Path
) -> None:
    stage = tiny_stage()
    tiny_trainer(tmp_path).validate(stage, data, verbose=False)
    found = stage.retrieved
    assert found is not None
    z_audio_ND = found.z_audio_ND.repeat(5, 1) + 0.01 * torch.rand(45, Z_DIM)
    stage.retrieved = found._replace(z_audio_ND=z_audio_ND)
    known = familiarity.of_notes(stage.exports().notes, "card.json")
    assert known == familiarity.of_latents(z_audio_ND)
    assert known is not None


def test_facts_that_fit_are_the_encoder_that_they_name() -> None:
    encoder = EncoderFacts("some/folder", "ab" * 32, "small64", Z_DIM)
    assert tiny_stage().checked(DataFacts(encoder=encoder)) == encoder
