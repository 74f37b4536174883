from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from drawing import tiny_generator
from looked_up import sounds_of, tiny_hearing
from manifolds import save_audio, save_autoencoder
from sound2scene import artifacts, defaults
from sound2scene.methods import named
from sound2scene.methods.floors import ClassMean, Shuffled
from sound2scene.methods.folder import PictureFolder
from sound2scene.methods.manifold import Manifold
from sound2scene.methods.named import KINDS, Setting, method_of, methods_of, read_word
from sound2scene.methods.nearest import Nearest
from sound2scene.methods.oracles import Ceiling, Real
from sound2scene.methods.s2i import S2I
from sound2scene.methods.sound2scene import SoundToScene
from sound2scene.protocols import Method
from sound2scene.types import InputError
from tiny_s2i import audio_artifact, generator_artifact

CLASSES = {
    "sound2scene": SoundToScene,
    "manifold": Manifold,
    "s2i": S2I,
    "real": Real,
    "ceiling": Ceiling,
    "nearest": Nearest,
    "shuffled": Shuffled,
    "class_mean": ClassMean,
    "folder": PictureFolder,
}
OF_DATA = ["real", "ceiling", "nearest", "shuffled", "class_mean", "folder"]


@pytest.fixture(scope="module")
def words(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A word of each kind, with artifacts of random weights."""
    folder = tmp_path_factory.mktemp("named")
    audio = f"audio_encoder={tiny_hearing(folder / 'audio', tiny_image_encoder)}"
    generator = f"generator={tiny_generator(folder / 'generator', tiny_image_encoder)}"
    autoencoder = save_autoencoder(folder / "autoencoder")
    network = save_audio(folder / "manifold", autoencoder)
    pictures = folder / "pictures"
    pictures.mkdir()
    for number in range(9):
        Image.new("RGB", (20, 16), (20 * number, 0, 0)).save(pictures / f"test-{number:03d}.png")
    s2i = audio_artifact(folder / "s2i-audio")
    s2i_generator = generator_artifact(folder / "s2i-generator", s2i)
    return {
        "sound2scene": f"sound2scene:{audio},{generator}",
        "manifold": f"manifold:audio_network={network},autoencoder={autoencoder}",
        "s2i": f"s2i:audio={s2i},generator={s2i_generator}",
        "real": "real",
        "ceiling": f"ceiling:{generator}",
        "nearest": f"nearest:{audio}",
        "shuffled": f"shuffled:{generator},{audio}",
        "class_mean": "class_mean",
        "folder": f"folder:path={pictures}",
    }


@pytest.fixture
def setting(tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path) -> Setting:
    return Setting(
        shards=str(tiny_shards),
        resolution=16,
        image_encoder=str(tiny_image_encoder),
        device="cpu",
        cache=str(tmp_path / "cache"),
        workers=0,
    )


def test_there_is_a_test_of_every_kind(words: dict[str, str]) -> None:
    assert words.keys() == CLASSES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", CLASSES)
def test_a_word_of_each_kind_makes_its_method_which_draws(
    kind: str, words: dict[str, str], setting: Setting
) -> None:
    found = method_of(f"mine={words[kind]}", setting)
    assert (found.label, found.word.kind) == ("mine", kind)
    assert isinstance(found.method, Method)
    assert type(found.method) is CLASSES[kind]
    assert found.method.fingerprints
    keys = ["test-003", "test-001"]
    drawn = found.method.pictures(sounds_of(setting.clips, keys), keys, 2, 0)
    side = found.method.resolution
    assert (drawn.shape, drawn.dtype) == ((2, 2, 3, side, side), torch.uint8)
    assert found.method.deterministic == torch.equal(drawn[:, 0], drawn[:, 1])


@pytest.mark.parametrize("kind", OF_DATA)
def test_a_kind_that_looks_into_a_dataset_needs_one(kind: str, words: dict[str, str]) -> None:
    told = rf"^method '{kind}': looks into a dataset .*; choose among sound2scene, manifold, s2i$"
    with pytest.raises(InputError, match=told):
        method_of(words[kind], Setting(device="cpu"))


@pytest.mark.parametrize(
    ("word", "label", "kind", "settings"),
    [
        (
            "sound2scene",
            "sound2scene",
            "sound2scene",
            {"audio_encoder": defaults.AUDIO_ENCODER, "generator": defaults.GENERATOR},
        ),
        (
            "a-1.b=sound2scene:generator=x=y/z:1,audio_encoder=c,d",
            "a-1.b",
            "sound2scene",
            {"audio_encoder": "c,d", "generator": "x=y/z:1"},
        ),
        ("real", "real", "real", {}),
        ("s2i:", "s2i", "s2i", {"audio": defaults.S2I_AUDIO, "generator": defaults.S2I_GENERATOR}),
    ],
)
def test_a_word_says_label_kind_and_keys(word: str, label: str, kind: str, settings: dict[str, str]) -> None:
    assert read_word(word) == (label, kind, settings)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("", r"^method '': unknown kind ''; choose among sound2scene, manifold, s2i"),
        ("other", r"^method 'other': unknown kind 'other'; choose among sound2scene, manifold, s2i"),
        ("a=b=s2i", r"^method 'a=b=s2i': not understood; give it as \[LABEL=\]KIND\[:KEY=VALUE"),
        ("s2i:encoder=x", r"key 'encoder' unknown; s2i has audio, generator$"),
        ("s2i:audio=", r"key 'audio' without a value; s2i has audio, generator$"),
        ("s2i:x", r"key 'x' without a value; s2i has audio, generator$"),
        ("s2i:audio=x,audio=y", r"key 'audio' given twice; s2i has"),
        ("real:generator=x", r"key 'generator' unknown; real has no keys$"),
        ("folder", r"^method 'folder': no path; give it as in folder:path=\.\.\.$"),
        ("../a=s2i", r"^method '\.\./a=s2i': label '\.\./a'; give up to 64 letters"),
        ("=s2i", r"label ''; give up to"),
    ],
)
def test_a_word_that_is_none_is_refused_with_what_there_is(word: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        read_word(word)
    assert "\n" not in str(caught.value)


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        monkeypatch.setitem(named.KINDS, kind, KINDS[kind]._replace(make=lambda *_: pytest.fail("loaded")))


@pytest.mark.usefixtures("unloaded")
def test_all_words_are_read_before_anything_is_loaded() -> None:
    with pytest.raises(InputError, match=r"unknown kind 'other'"):
        methods_of(["s2i", "other"], Setting())
    with pytest.raises(
        InputError, match=r"^methods: s2i stands more than once; give each a label, as in mine="
    ):
        methods_of(["s2i", "b=manifold", "s2i:audio=x"], Setting())


def test_methods_come_in_the_order_of_their_words_and_share_what_they_look_into(
    words: dict[str, str], setting: Setting
) -> None:
    found = methods_of(["b=real", f"a={words['ceiling']}"], setting)
    assert [one.label for one in found] == ["b", "a"]
    assert setting.clips is setting.clips
    assert setting.features is setting.features


def test_methods_of_one_audio_encoder_hear_with_the_same_ears(
    words: dict[str, str], setting: Setting, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    other = f"audio_encoder={tiny_hearing(tmp_path / 'other', tiny_image_encoder)}"
    link = tmp_path / "link"
    link.symlink_to(read_word(words["nearest"]).settings["audio_encoder"])
    near = [words["nearest"], f"linked=nearest:audio_encoder={link}", f"apart=nearest:{other}"]
    found = methods_of([words["sound2scene"], *near, words["shuffled"]], setting)
    scene, nearest, linked, apart, shuffled = (one.method for one in found)
    assert isinstance(scene, SoundToScene)
    assert isinstance(shuffled, Shuffled)
    assert isinstance(shuffled._method, SoundToScene)
    assert isinstance(nearest, Nearest)
    assert isinstance(linked, Nearest)
    assert isinstance(apart, Nearest)
    assert scene.hearing is shuffled._method.hearing is nearest._hearing is linked._hearing
    assert apart._hearing is not scene.hearing


def test_methods_of_one_generator_draw_with_the_same_one(
    words: dict[str, str], setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    load = artifacts.load

    def noting(folder: str, **more: str) -> nn.Module:
        loaded.append(folder)
        return load(folder, **more)

    monkeypatch.setattr(artifacts, "load", noting)
    found = methods_of([words["sound2scene"], words["ceiling"], words["shuffled"]], setting)
    scene, ceiling, shuffled = (one.method for one in found)
    assert isinstance(scene, SoundToScene)
    assert isinstance(ceiling, Ceiling)
    assert isinstance(shuffled, Shuffled)
    assert isinstance(shuffled._method, SoundToScene)
    assert scene.drawing is ceiling._drawing is shuffled._method.drawing
    assert scene.resolution == ceiling.resolution == shuffled.resolution
    assert loaded.count(scene.drawing.folder) == 1
