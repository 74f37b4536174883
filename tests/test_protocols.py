from pathlib import Path

import pytest
from torch import Tensor, nn

import drawn_clips
from drawing import DISCRIMINATOR, GENERATOR, tiny_generator
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.pictures import PictureFolder
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.videos import MomentsDataModule
from sound2scene.methods.sound2scene import FrozenGenerator
from sound2scene.models.biggan import Generator
from sound2scene.models.discriminator import Discriminator
from sound2scene.models.judge import Judge
from sound2scene.protocols import (
    CeilingSampling,
    Documented,
    Exporting,
    Foldable,
    Measuring,
    Pictures,
    Retrieving,
    Sampling,
    Sounds,
    Telling,
    whole_number,
)
from sound2scene.stages.gan import GanStage
from sound2scene.stages.judge import JudgeStage
from sound2scene.types import InputError
from tiny import NET, tiny_stage


class Numbered(nn.Module):
    """Attributes of all kinds."""

    z_dim = 7
    text = "7"
    half = 3.5
    yes = True

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(Tensor([7]))


def test_a_whole_number_is_the_networks_own() -> None:
    assert whole_number(Numbered(), "z_dim") == 7


@pytest.mark.parametrize("name", ["text", "half", "yes", "weight", "forward", "nowhere"])
def test_anything_else_is_refused_with_the_class_and_the_attribute(name: str) -> None:
    line = rf"^Numbered has no whole number '{name}'; add the attribute to the class$"
    with pytest.raises(InputError, match=line):
        whole_number(Numbered(), name)


def test_shards_hold_pictures_and_sounds_and_a_folder_of_pictures_no_sounds(
    tiny_shards: Path, tmp_path: Path
) -> None:
    drawn_clips.write_picture(tmp_path / "train" / "a" / "0.png")
    shards, folder = ShardDataset(tiny_shards, "train"), PictureFolder(tmp_path, "train")
    assert isinstance(shards, Pictures)
    assert isinstance(shards, Sounds)
    assert isinstance(folder, Pictures)
    assert not isinstance(folder, Sounds)
    assert not isinstance(object(), Pictures)


def test_data_of_clips_and_of_videos_tells_and_documents_itself(tiny_shards: Path) -> None:
    class Splits:
        classes: tuple[str, ...] = ()

        def entries(self, split: str) -> list[object]:
            return []

    for data in (ClipDataModule(str(tiny_shards)), MomentsDataModule(Splits())):  # type: ignore[arg-type]
        assert isinstance(data, Telling)
        assert isinstance(data, Documented)


def test_a_stage_is_known_by_what_it_can_do(tiny_image_encoder: Path, tmp_path: Path) -> None:
    generator = tiny_generator(tmp_path / "generator", tiny_image_encoder)
    align = tiny_stage(drawing=FrozenGenerator(str(generator)))
    gan = GanStage(Generator(**GENERATOR), Discriminator(**DISCRIMINATOR))
    judge = JudgeStage(Judge(3, 32, "resnet18", NET), "pixels32")
    can = [Exporting, Retrieving, Sampling, CeilingSampling]
    assert [isinstance(align, one) for one in can] == [True, True, True, True]
    assert [isinstance(gan, one) for one in can] == [True, False, True, False]
    assert [isinstance(judge, one) for one in can] == [True, False, False, False]


def test_an_alignment_without_a_generator_says_what_callbacks_that_draw_need() -> None:
    def height(stage: object) -> int:
        assert isinstance(stage, Sampling)
        return stage.resolution

    with pytest.raises(InputError, match=r"callbacks that draw need model\.init_args\.drawing"):
        height(tiny_stage())


def test_a_generator_can_be_folded_and_a_judge_measures() -> None:
    generator, judge = Generator(**GENERATOR), Judge(3, 32, "resnet18", NET)
    assert isinstance(generator, Foldable)
    assert not isinstance(judge, Foldable)
    assert isinstance(judge, Measuring)
    assert not isinstance(generator, Measuring)
