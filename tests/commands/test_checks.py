import math
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import dict_to_namespace
from lightning_fabric.utilities.exceptions import MisconfigurationException

from sound2scene import cli
from sound2scene.commands import checks
from sound2scene.commands.recipe import Run
from sound2scene.types import InputError
from tiny import tiny_recipe

SHARED = str(Path(__file__).resolve().parents[2] / "experiments" / "trainer.yaml")
MODEL, DATA = "--model.init_args.", "--data.init_args."
ADAM = [f"{MODEL}optimizer", "torch.optim.Adam"]
LARC = [f"{MODEL}optimizer", "sound2scene.optimization.LARC"]
RATE = f"{MODEL}optimizer.init_args.lr"


@pytest.fixture(scope="module")
def recipe(tiny_shards: Path, tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_recipe(tmp_path_factory.mktemp("recipe") / "recipe.yaml", tiny_shards, tiny_image_encoder)


def refusal(capsys: pytest.CaptureFixture[str], recipe: Path, *arguments: str) -> str:
    """The one line with which a recipe is refused, before there is a run folder or a cached feature."""
    given = ["fit", "-c", SHARED, "-c", str(recipe), *arguments]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["/somewhere/bin/sound2scene", *given])
        assert cli.main() == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sound2scene: ")]
    assert len(lines) == 1
    assert not (recipe.parent / "runs").exists()
    assert not (recipe.parent / "features").exists()
    return lines[0]


@pytest.mark.costly
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([*ADAM, RATE, ".nan"], r"model\.init_args\.optimizer\.init_args\.lr is nan; set it to a finite"),
        ([*ADAM, RATE, "-1"], r"optimizer\.init_args: torch\.optim\.Adam refuses them \(Invalid learning ra"),
        (["--trainer.strategy", "nope"], r"trainer: .*strategy.*nope"),
        (["-c", "{latin}"], r"latin\.yaml: no recipe in YAML and UTF-8 \(.*; mend the file"),
        *[
            pytest.param(changes, message, marks=pytest.mark.slow)
            for changes, message in [
                ([*ADAM, RATE, ".inf"], r"optimizer\.init_args\.lr is inf; set it to a finite number$"),
                ([*ADAM, f"{MODEL}optimizer.init_args.betas", "[2, 0]"], r"Adam refuses them \(Invalid beta"),
                ([*LARC, RATE, "-1"], r"LARC\.lr is -1\.0; set it to at least 0$"),
                ([*LARC, f"{MODEL}optimizer.init_args.weight_decay", "-1"], r"LARC\.weight_decay is -1"),
                (
                    [f"{MODEL}schedule.init_args.warmup_steps", "-1"],
                    r"schedule\.warmup_steps is -1; set it to",
                ),
                ([f"{MODEL}schedule.init_args.final_share", ".nan"], r"final_share is nan; set it to a fin"),
                (["--trainer.accelerator", "nope"], r"trainer: .*accelerator.*nope"),
                (["--trainer.accelerator", "cuda"], r"trainer: "),
                (["--trainer.devices", "0"], r"trainer: .*devices"),
                (["--trainer.precision", "13"], r"precision"),
                (["--trainer.limit_train_batches", "1.5"], r"trainer: .*limit_train_batches"),
                (["--seed_everything", str(2**64)], r"seed_everything is 18446744073709551616; set"),
                ([f"{DATA}batch_size", str(10**12)], r"data\.batch_size is 1000000000000"),
                ([f"{DATA}workers", "100000"], r"data\.workers is 100000"),
                (["--trainer.devices", "x"], r"trainer: "),
                (["--trainer.val_check_interval", "1.5"], r"trainer: .*val_check_interval"),
                (["--run.checkpoint_steps", "-1"], r"run\.checkpoint_steps is -1; set it to at least 1$"),
                (
                    ["--run.folder", "/dev/null/runs"],
                    r"/dev/null/runs/align/tiny: cannot be written \(/dev/null is",
                ),
                (["--seed_everything", "-1"], r"seed_everything is -1; set it to between 0 and 4294967295$"),
                (
                    [f"{MODEL}audio_encoder.init_args.z_dim", str(10**12)],
                    r"audio_encoder\.z_dim is 1000000000000; set",
                ),
                (["-c", "/nowhere.yaml"], r"/nowhere\.yaml"),
                (["-c", "/dev"], r"/dev"),
                (["-c", "{deep}"], r"deep\.yaml: no recipe"),
            ]
        ],
    ],
)
def test_a_setting_that_cannot_work_is_one_line_before_any_work(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: list[str], message: str
) -> None:
    (tmp_path / "latin.yaml").write_bytes("run: {name: é}".encode("latin-1"))
    (tmp_path / "deep.yaml").write_text("[" * 3000)
    there = {"latin": str(tmp_path / "latin.yaml"), "deep": str(tmp_path / "deep.yaml")}
    given = [change.format(**there) if change[0] == "{" else change for change in changes]
    line = refusal(capsys, recipe, *given)
    assert re.search(message, line)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("trainer.num_nodes", 0, r"trainer\.num_nodes is 0; set it to at least 1$"),
        ("trainer.val_check_interval", 0, r"trainer\.val_check_interval is 0; set it to above 0$"),
        ("trainer.val_check_interval", -3, r"trainer\.val_check_interval is -3"),
        ("trainer.max_epochs", 0, r"trainer\.max_epochs is 0, so that nothing would be done"),
        ("trainer.max_epochs", -2, r"trainer\.max_epochs is -2; set it to at least -1$"),
        ("trainer.max_steps", 0, r"trainer\.max_steps is 0, so that nothing would be done"),
        ("trainer.limit_train_batches", 0, r"trainer\.limit_train_batches is 0"),
        ("trainer.accumulate_grad_batches", 0, r"accumulate_grad_batches is 0"),
        ("trainer.gradient_clip_val", -1.0, r"gradient_clip_val is -1"),
        ("trainer.gradient_clip_val", math.nan, r"gradient_clip_val is nan"),
        ("trainer.check_val_every_n_epoch", 0, r"check_val_every_n_epoch is 0"),
        ("run.checkpoint_steps", 0, r"run\.checkpoint_steps is 0; set it to at least 1$"),
        ("run.publish", "/dev/null/x", r"/dev/null/x: cannot be written"),
        ("data", [{"deep": [1.0, -math.inf]}], r"data\.deep is -inf; set it to a finite number$"),
    ],
)
def test_a_number_out_of_its_range_is_refused_by_its_key(
    key: str, value: object, message: str, tmp_path: Path
) -> None:
    sound: dict[str, Any] = {"trainer": {}, "run": vars(Run(folder=str(tmp_path)))}
    checks.check_recipe(dict_to_namespace(sound))
    found = dict_to_namespace(sound)
    found[key] = value
    with pytest.raises(InputError, match=message):
        checks.check_recipe(found)


@pytest.mark.parametrize("seed", [None, True, False, 0, 2**32 - 1])
def test_a_seed_that_numpy_takes_will_do(seed: object) -> None:
    checks.check_seed(dict_to_namespace({"seed_everything": seed}))


def test_lightnings_own_words_on_a_recipe_are_told_and_no_other_errors() -> None:
    told = checks.told(MisconfigurationException("no\nsuch thing"))
    assert str(told) == "trainer: no such thing"
    for text in ("`val_check_interval` is wrong", "bad"):
        with pytest.raises(ValueError, match=text) as caught:
            raise ValueError(text)
        assert checks.told(caught.value) is None


@pytest.mark.costly
def test_validating_more_rarely_than_an_epoch_has_batches_is_one_line(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["-c", SHARED, "-c", str(recipe), "--run.folder", str(tmp_path / "runs")]
    given += [f"{DATA}features.cache", str(tmp_path / "features")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["sound2scene", "fit", *given, "--trainer.val_check_interval", "1000"])
        assert cli.main() == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert re.match(r"sound2scene: trainer: `val_check_interval` \(1000\) must be less than", last)
