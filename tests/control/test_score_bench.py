from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from controlling import Trio, trio
from scoring import tiny_reader
from sound2scene import artifacts, images
from sound2scene.control.score_bench import Bench, Extent
from sound2scene.control.search import Effort
from sound2scene.latent import seed_of_clip
from sound2scene.methods.sound2scene import SoundToScene
from sound2scene.types import CLIP_SAMPLES, InputError
from tiny import Z_DIM


@pytest.fixture(scope="module")
def networks(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trio, Path]:
    folder = tmp_path_factory.mktemp("bench")
    return trio(folder, tiny_image_encoder), tiny_reader(folder / "reader")


@pytest.fixture(scope="module")
def scene(networks: tuple[Trio, Path]) -> SoundToScene:
    return SoundToScene(networks[0].audio_encoder, networks[0].generator, "cpu")


@pytest.fixture(scope="module")
def bench(networks: tuple[Trio, Path], scene: SoundToScene) -> Bench:
    return Bench(scene, str(networks[0].image_encoder), str(networks[1]), seed=3)


def test_a_bench_hears_and_draws_as_generate_does_with_the_noise_of_each_clip(
    bench: Bench, scene: SoundToScene
) -> None:
    sound_T = np.random.default_rng(0).uniform(-0.1, 0.1, CLIP_SAMPLES).astype(np.float32)
    z_1D = bench.hear([sound_T])
    assert torch.equal(z_1D, scene.encode(torch.from_numpy(sound_T)[None]))
    z_2D = torch.cat([z_1D, normalize(torch.ones(1, Z_DIM), dim=1)])
    drawn_BCHW = bench.draw(z_2D, "clip-7", draws=2)
    for number, z_D in enumerate(z_2D):
        expected_JCHW = scene.draw(z_D[None], 2, seed_of_clip(3, "clip-7"))[0]
        assert torch.equal(drawn_BCHW[2 * number : 2 * number + 2], expected_JCHW)
    assert not torch.equal(bench.draw(z_1D, "clip-8"), drawn_BCHW[:1])


def test_a_bench_reads_and_sees_each_picture_for_itself(bench: Bench) -> None:
    noise = torch.Generator().manual_seed(0)
    pixels_BCHW = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=noise)
    read, seen_BD = bench.read(pixels_BCHW), bench.see(pixels_BCHW)
    for number in range(3):
        alone = bench.read(pixels_BCHW[number : number + 1])
        torch.testing.assert_close(read.place_BK3[number], alone.place_BK3[0])
        torch.testing.assert_close(seen_BD[number], bench.see(pixels_BCHW[number : number + 1])[0])
    assert seen_BD.shape == (3, Z_DIM)


def test_what_an_inversion_found_is_drawn_again(bench: Bench) -> None:
    pixels_1CHW = bench.draw(normalize(torch.ones(1, Z_DIM), dim=1), "clip")
    z_1D, noise_1Z = bench.invert(pixels_1CHW, Effort(steps=2, starts=1, candidates=2))
    drawn_2CHW = bench.draw_again(z_1D.expand(2, -1), noise_1Z[0])
    assert torch.equal(drawn_2CHW[0], drawn_2CHW[1])
    assert images.to_model(drawn_2CHW).shape == (2, 3, 32, 32)


def test_networks_that_do_not_belong_together_are_refused(
    networks: tuple[Trio, Path], scene: SoundToScene, bench: Bench, tmp_path: Path
) -> None:
    three, reader = networks
    assert set(bench.fingerprints) == {"audio_encoder", "generator", "image_encoder", "reader"}
    assert bench.fingerprints["reader"] == artifacts.read_card(reader).fingerprint
    other = tiny_reader(tmp_path / "reader", classes=3)
    with pytest.raises(InputError, match="does not read the 8 kinds of the toy world"):
        Bench(scene, str(three.image_encoder), str(other))
    with pytest.raises(InputError, match="reader"):
        Bench(scene, str(three.image_encoder), str(three.generator))


@pytest.mark.parametrize(
    "settings", [{"steps": 8}, {"steps": 1}, {"draws": 1}, {"inverted": 0}, {"seed": -1}]
)
def test_an_extent_out_of_its_range_is_refused(settings: dict[str, int]) -> None:
    (name,) = settings
    with pytest.raises(InputError, match=rf"control-score\.{name} is"):
        Extent(**settings)
