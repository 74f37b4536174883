from pathlib import Path

import pytest
import torch

from drawing import tiny_generator
from manifolds import save_audio, save_autoencoder
from sound2scene import artifacts, defaults
from sound2scene.methods import named
from sound2scene.methods.manifold import Manifold
from sound2scene.methods.named import KINDS, Setting, method_of, methods_of, read_word
from sound2scene.methods.s2i import S2I
from sound2scene.methods.sound2scene import SoundToScene
from sound2scene.models.audio_encoder import AudioEncoder
from sound2scene.protocols import Method
from sound2scene.types import InputError
from tiny import NET, Z_DIM
from tiny_s2i import audio_artifact, generator_artifact

CLASSES = {"sound2scene": SoundToScene, "manifold": Manifold, "s2i": S2I}


@pytest.fixture(scope="module")
def words(tiny_image_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A word of each kind, with artifacts of random weights."""
    folder = tmp_path_factory.mktemp("named")
    torch.manual_seed(0)
    notes = {"image_encoder": artifacts.read_card(tiny_image_encoder).fingerprint}
    card = {"kind": "audio-encoder", "preset": "log_mel", "notes": notes}
    audio = artifacts.save(AudioEncoder(Z_DIM, "resnet18", NET), folder / "audio", card=card)
    generator = tiny_generator(folder / "generator", tiny_image_encoder)
    autoencoder = save_autoencoder(folder / "autoencoder")
    network = save_audio(folder / "manifold", autoencoder)
    s2i = audio_artifact(folder / "s2i-audio")
    s2i_generator = generator_artifact(folder / "s2i-generator", s2i)
    return {
        "sound2scene": f"audio_encoder={audio},generator={generator}",
        "manifold": f"audio_network={network},autoencoder={autoencoder}",
        "s2i": f"audio={s2i},generator={s2i_generator}",
    }


def test_a_word_of_each_kind_makes_its_method(words: dict[str, str]) -> None:
    assert words.keys() == KINDS.keys()
    for kind, settings in words.items():
        found = method_of(f"mine={kind}:{settings}", Setting(device="cpu"))
        assert (found.label, found.word.kind) == ("mine", kind)
        assert isinstance(found.method, Method)
        assert found.method.fingerprints
        assert type(found.method) is CLASSES[kind]


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


def test_methods_come_in_the_order_of_their_words(words: dict[str, str]) -> None:
    named_so = [f"b=manifold:{words['manifold']}", f"a=manifold:{words['manifold']}"]
    assert [one.label for one in methods_of(named_so, Setting(device="cpu"))] == ["b", "a"]
