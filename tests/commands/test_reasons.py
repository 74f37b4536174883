import sys

import pytest

from sound2scene import cli
from sound2scene.commands.reasons import reason

WRONG_PATH = """\
Parser key "model":
  Does not validate against any of the Union subtypes
  Subtypes: [<class 'pytorch_lightning.core.module.LightningModule'>, <class 'NoneType'>]
  Errors:
    - Problem with given class_path 'sound2scene.stages.align.AlignStage':
        Parser key "loss":

          - Expected a path but sound2scene.losses.infonce.L2InfoNEC either not accessible or invalid
          - Does not validate against any of the Union subtypes
          Subtypes: [<class 'sound2scene.protocols.AlignmentLoss'>, <class 'NoneType'>]
          Errors:
            - Problem with given class_path 'sound2scene.losses.infonce.L2InfoNEC':
                module 'sound2scene.losses.infonce' has no attribute 'L2InfoNEC'
            - Expected a <class 'NoneType'>
          Given value type: <class 'str'>
          Given value: sound2scene.losses.infonce.L2InfoNEC
    - Expected a <class 'NoneType'>
"""


def test_the_key_and_the_innermost_reason_are_told() -> None:
    assert reason(WRONG_PATH) == (
        "model.loss: sound2scene.losses.infonce.L2InfoNEC: module 'sound2scene.losses.infonce' has no "
        "attribute 'L2InfoNEC'"
    )


def test_what_has_no_layout_is_told_as_it_is() -> None:
    assert reason("something\n  is wrong") == "is wrong"
    assert reason("Errors:") == "Errors:"


LOSS = "sound2scene.losses.infonce.L2InfoNCE"


@pytest.mark.costly
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--model.init_args.loss=sound2scene.losses.infonce.L2InfoNEC"], "has no attribute 'L2InfoNEC'"),
        (
            [f"--model.init_args.loss.class_path={LOSS}", "--model.init_args.loss.init_args.temprature=1"],
            f"model.loss: {LOSS}: Option 'temprature' is not accepted",
        ),
        (["--model.init_args.audio_encoder.init_args.z_dmi=3"], "Option 'z_dmi' is not accepted"),
        (["--model.init_args.audio_encoder.init_args.z_dim=many"], "z_dim"),
    ],
)
def test_a_wrong_key_of_a_recipe_gets_its_real_reason(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = ["-c", "experiments/trainer.yaml", "-c", "experiments/align/toy.yaml"]
    monkeypatch.setattr(sys, "argv", ["sound2scene", "fit", *recipes, *options])
    assert cli.main() == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("sound2scene: recipe: model.")
    assert told in line
    assert ":;" not in line


def test_a_value_of_a_wrong_type_is_told_with_the_types_that_its_key_takes() -> None:
    message = """\
Parser key "model":
  Errors:
    - Problem with given class_path 'sound2scene.stages.align.AlignStage':
        Parser key "audio_encoder":
          Problem with given class_path 'sound2scene.models.audio_encoder.AudioEncoder':
            Parser key "backbone_options":
              Does not validate against any of the Union subtypes
              Subtypes: [dict[str, typing.Any], <class 'NoneType'>]
              Errors:
                - Expected a <class 'dict'>
                - Expected a <class 'NoneType'>
              Given value type: <class 'str'>
              Given value: wide
    - Expected a <class 'NoneType'>
"""
    assert reason(message) == (
        "model.audio_encoder.backbone_options: wide is no dict or null; if it looks like one, set it in a "
        "recipe file"
    )
