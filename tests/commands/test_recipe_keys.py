from pytorch_lightning import Trainer

from sound2scene.commands.keys import merged
from sound2scene.commands.recipe import Run
from sound2scene.commands.recipe_keys import keys
from test_recipes import EXPERIMENTS


def test_a_key_is_listed_with_type_value_of_the_recipe_and_meaning() -> None:
    recipe = merged([EXPERIMENTS / "trainer.yaml", EXPERIMENTS / "align" / "toy.yaml"])
    known = {key.name: key for key in keys(recipe, Run, Trainer)}
    rate = "model.init_args.optimizer.init_args.lr"
    assert known[rate] == known[rate]._replace(value="0.001")
    assert known["data.init_args.batch_size"].value == "32"
    assert known["data.init_args.features.image_encoder"].value == "experiments/artifacts/toy/image-encoder"
    assert known["trainer.max_epochs"].value == "3"
    assert all(key.meaning for key in known.values())
    assert "data.init_args.seed" not in known  # follows seed_everything
