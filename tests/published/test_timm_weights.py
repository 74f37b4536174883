from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from bombs import Bomb
from selected import first
from sound2scene import artifacts, images
from sound2scene.published.timm_weights import import_timm
from sound2scene.types import InputError

NAME = "mobilenetv3_small_050"
HUB = "timm.models._hub.hf_hub_download"


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """A network's state dict with its classifier, as timm writes it."""
    torch.manual_seed(0)
    tensors: dict[str, Tensor] = timm.create_model(NAME).state_dict()
    return tensors


@pytest.fixture
def file(state: dict[str, Tensor], tmp_path: Path) -> Path:
    save_file(state, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture
def nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*given: Any, **options: Any) -> None:
        raise AssertionError(f"the hub was asked for {given}, {options}")

    monkeypatch.setattr(HUB, asked)


@pytest.mark.usefixtures("nothing_asked")
@pytest.mark.parametrize("layout", first(["safetensors", "torch", "training", "half"]))
def test_a_file_makes_an_encoder_of_timms_own_features(
    state: dict[str, Tensor], file: Path, checkpoint: Callable[..., Path], layout: str
) -> None:
    if layout == "torch":
        file = checkpoint(state)
    elif layout == "training":
        file = checkpoint({"epoch": 1, "state_dict": {f"module.{name}": t for name, t in state.items()}})
    elif layout == "half":
        file = checkpoint({name: t.half() if t.is_floating_point() else t for name, t in state.items()})
    folder = import_timm(NAME, file.parent / "artifact", file)
    whole = timm.create_model(NAME).eval()
    whole.load_state_dict(state)
    image_CHW = images.preset("centre_crop")(Image.linear_gradient("L").convert("RGB"))
    with torch.no_grad():
        found_BD = artifacts.load(folder, "image-encoder")(image_CHW[None])
        expected_BD = whole.forward_head(whole.forward_features(image_CHW[None]), pre_logits=True)
    assert found_BD.shape == expected_BD.shape == (1, 1024)
    within = 1e-2 if layout == "half" else 1e-5
    assert (found_BD - expected_BD).norm() < within * expected_BD.norm()


@pytest.mark.usefixtures("nothing_asked")
def test_the_card_tells_chain_origin_and_what_was_left_out(file: Path) -> None:
    card = artifacts.read_card(import_timm(NAME, file.parent / "artifact", file))
    assert (card.kind, card.preset) == ("image-encoder", "centre_crop")
    assert card.arguments["backbone"] == NAME
    assert card.origin.source is not None
    assert card.origin.source["address"] == "model.safetensors"
    assert card.origin.source["bytes"] == file.stat().st_size
    assert card.origin.notes["left_out"] == ["classifier.bias", "classifier.weight"]
    assert card.origin.notes["expected"]["crop_pct"] == 0.875


@pytest.mark.parametrize(
    ("name", "licence"), [(NAME, None), (f"{NAME}.lamb_in1k", "apache-2.0 (as timm says of its weights)")]
)
def test_terms_of_a_file_are_known_only_where_the_name_says_which_weights_it_holds(
    file: Path, name: str, licence: str | None
) -> None:
    assert artifacts.read_card(import_timm(name, file.parent / "artifact", file)).licence == licence


def test_weights_come_from_the_hub_as_timm_loads_them(
    state: dict[str, Tensor], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def downloaded(repo_id: str, filename: str, **options: Any) -> str:
        asked.append(f"{repo_id}/{filename}")
        return str(file)

    monkeypatch.setattr(HUB, downloaded)
    folder = import_timm(NAME, file.parent / "artifact")
    monkeypatch.undo()
    card, own = artifacts.read_card(folder), artifacts.load(folder).backbone.state_dict()
    assert asked == [f"timm/{NAME}.lamb_in1k/model.safetensors"]
    assert card.origin.source == {"address": f"hf://timm/{NAME}.lamb_in1k"}
    assert card.licence == "apache-2.0 (as timm says of its weights)"
    assert all(torch.equal(tensor, state[name]) for name, tensor in own.items())


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (LocalEntryNotFoundError("no\nroute"), "timm's hub cannot be reached, and no copy is here; give"),
        (OSError("disk\nfull"), r"no weights from timm's hub \(disk full\); give"),
    ],
)
def test_a_hub_without_answer_is_one_line_that_names_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., None], error: Exception, told: str
) -> None:
    def unreachable(*given: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(HUB, unreachable)
    refused(lambda _, folder: import_timm(NAME, folder), tmp_path, f"^{NAME}: {told} .*--weights FILE$")


@pytest.mark.usefixtures("nothing_asked")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mobilenetv2_035", "timm's hub has no weights of it; give a file of them by --weights FILE"),
        ("test_resnet", "its weights expect pictures of 3 x 160 x 160 and not 3 x 224 x 224; .*--preset"),
        ("vit_base_patch16_clip_224.openai", r"expect mean \(0\.48.* which no preset has; .*--preset"),
        ("hf-hub:timm/resnet18.a1_in1k", "unknown to timm"),
        ("local-dir:.", "unknown to timm"),
    ],
)
def test_what_cannot_be_had_is_told_before_the_hub_is_asked(
    tmp_path: Path, refused: Callable[..., None], name: str, told: str
) -> None:
    refused(lambda _, folder: import_timm(name, folder), tmp_path, told)


@pytest.mark.usefixtures("nothing_asked")
def test_a_named_preset_goes_before_what_timm_says(tmp_path: Path) -> None:
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "small.safetensors")
    folder = import_timm("test_resnet", tmp_path / "artifact", tmp_path / "small.safetensors", "small64")
    assert artifacts.read_card(folder).preset == "small64"


def test_an_unknown_preset_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'square' is unknown"):
        import_timm(NAME, tmp_path / "artifact", tmp_path / "nowhere.pth", "square")


@pytest.mark.costly
@pytest.mark.parametrize("preset", ["small64", "pixels224"])
def test_a_preset_whose_pictures_the_network_cannot_take_is_refused(
    tmp_path: Path, refused: Callable[..., None], preset: str
) -> None:
    path, name = tmp_path / "vit.safetensors", "vit_tiny_patch16_224"
    save_file(timm.create_model(name).state_dict(), path)
    refused(
        lambda file, folder: import_timm(name, folder, file, preset), path, f"takes no picture of .*{preset}"
    )
    assert artifacts.read_card(import_timm(name, tmp_path / "signed", path)).preset == "centre_crop_signed"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"extra.weight": torch.zeros(2)}, r"1 unexpected \(extra\.weight"),
        ({"conv_stem.weight": torch.zeros(2)}, r"1 of another shape \(conv_stem\.weight"),
        ({"conv_stem.weight": torch.full((16, 3, 3, 3), torch.nan)}, "holds NaN"),
    ],
)
def test_weights_of_another_network_are_refused(
    state: dict[str, Tensor],
    checkpoint: Callable[..., Path],
    refused: Callable[..., None],
    change: dict[str, Tensor],
    told: str,
) -> None:
    refused(lambda file, folder: import_timm(NAME, folder, file), checkpoint(state | change), told)


def test_a_file_that_would_run_code_runs_none(
    state: dict[str, Tensor],
    checkpoint: Callable[..., Path],
    refused: Callable[..., None],
    tmp_path: Path,
) -> None:
    path = checkpoint({**state, "bomb": Bomb(tmp_path / "ran")})
    refused(lambda file, folder: import_timm(NAME, folder, file), path, "it would run code, which is refused")
    assert not (tmp_path / "ran").exists()


def test_a_missing_file_is_named(tmp_path: Path, refused: Callable[..., None]) -> None:
    refused(lambda file, folder: import_timm(NAME, folder, file), tmp_path / "no.pth", "no.pth: no such file")
