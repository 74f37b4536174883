"""Words of the command line to methods: `[LABEL=]KIND[:KEY=VALUE[,KEY=VALUE...]]`."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from sound2scene import defaults
from sound2scene.data.batches.frozen_encoder import Features, FrozenFeatures
from sound2scene.data.shards.read import Folder, ShardDataset
from sound2scene.devices import device_named
from sound2scene.methods.floors import ClassMean, Shuffled
from sound2scene.methods.folder import PictureFolder
from sound2scene.methods.hearing import RememberingAudioEncoder
from sound2scene.methods.manifold import Manifold
from sound2scene.methods.nearest import Nearest
from sound2scene.methods.oracles import Ceiling, Real
from sound2scene.methods.s2i import S2I
from sound2scene.methods.sound2scene import FrozenGenerator, SoundToScene
from sound2scene.protocols import Method
from sound2scene.scratch import IN_MEMORY, Scratch
from sound2scene.types import InputError

_WORD = re.compile(r"(?:(?P<label>[^:=]*)=)?(?P<kind>[^:=]*)(?::(?P<settings>.*))?", re.DOTALL)
_LABEL = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}", re.ASCII)  # it becomes a name of files
_SYNTAX = "give it as [LABEL=]KIND[:KEY=VALUE[,KEY=VALUE...]]"


@dataclass(frozen=True)
class Setting:
    """What methods work on, and with.

    Attributes:
        shards: Folder or address of the dataset; None where only sounds are drawn.
        split: Split whose clips are drawn.
        resolution: Height and width of pictures that no generator draws.
        image_encoder: Artifact of the image encoder whose features are the true latents.
        device: Device, as torch names it; by default a GPU where there is one.
        cache: Folder of cached features.
        workers: Loader processes that decode pictures while features are computed.
        scratch: Room for what is kept of every sound.
    """

    shards: str | None = None
    split: str = "test"
    resolution: int = 128
    image_encoder: str = defaults.IMAGE_ENCODER
    device: str | None = None
    cache: str = Features.cache
    workers: int = 2
    scratch: Scratch = IN_MEMORY

    @cached_property
    def clips(self) -> ShardDataset:
        """The split that is drawn."""
        return ShardDataset(self._folder, self.split)

    @cached_property
    def training(self) -> ShardDataset:
        """The split from which methods may have learned."""
        return ShardDataset(self._folder, "train")

    @cached_property
    def features(self) -> FrozenFeatures:
        """True latents of any split."""
        named = Features(self.image_encoder, self.cache)
        return FrozenFeatures(named, self.workers, device_named(self.device))

    def hearing(self, audio_encoder: str) -> RememberingAudioEncoder:
        """The audio encoder of an artifact: one for all methods, so that each sound is heard once."""
        folder = os.path.realpath(audio_encoder)
        if folder not in self._hearing:
            self._hearing[folder] = RememberingAudioEncoder(audio_encoder, self.device, self.scratch)
        return self._hearing[folder]

    def drawing(self, generator: str) -> FrozenGenerator:
        """The generator of an artifact: one for all methods, so that its weights are read once."""
        folder = os.path.realpath(generator)
        if folder not in self._drawing:
            self._drawing[folder] = FrozenGenerator(generator)
        return self._drawing[folder]

    @cached_property
    def _drawing(self) -> dict[str, FrozenGenerator]:
        return {}

    @cached_property
    def _hearing(self) -> dict[str, RememberingAudioEncoder]:
        return {}

    @cached_property
    def _folder(self) -> Folder:
        assert self.shards is not None, "a kind that needs a dataset is refused without one"
        return Folder(self.shards)


class Word(NamedTuple):
    """A method, as it is named.

    Attributes:
        label: What results call it; its kind where the word gives no label.
        kind: One of `KINDS`.
        settings: Value of every key of that kind.
    """

    label: str
    kind: str
    settings: dict[str, str]


class NamedMethod(NamedTuple):
    """A method and what it is called.

    Attributes:
        label: What results call it.
        method: The method. One that is `Loading` has to be loaded by every process, or does it with its first
            pictures; one that is `Lacking` has no pictures of some clips.
        word: How it was named.
    """

    label: str
    method: Method
    word: Word


class Kind(NamedTuple):
    """A kind of method.

    Attributes:
        keys: Its keys, each with the value that stands where none is given; None: one has to be given.
        make: The method, of a value for each key.
        of_data: It looks something up in a dataset, and draws nothing of other sounds.
    """

    keys: Mapping[str, str | None]
    make: Callable[[Mapping[str, str], Setting], Method]
    of_data: bool = False


def method_of(word: str, setting: Setting) -> NamedMethod:
    """The method that a word names, `sound2scene` or `ours=sound2scene:audio_encoder=a,generator=g`.

    Args:
        word: The word.
        setting: What it works on, and with.

    Raises:
        InputError: If the word is none, or what it names is missing or does not belong together.
    """
    return made(read_word(word), setting)


def methods_of(words: Sequence[str], setting: Setting) -> list[NamedMethod]:
    """The methods that several words name; all words are read before anything is loaded.

    Args:
        words: The words.
        setting: What they work on, and with.

    Raises:
        InputError: As `method_of`, or if two methods have one label.
    """
    read = [read_word(word) for word in words]
    twice = [label for label, count in Counter(word.label for word in read).items() if count > 1]
    if twice:
        raise InputError(
            f"methods: {', '.join(twice)} stands more than once; give each a label, as in mine={twice[0]}:..."
        )
    return [made(word, setting) for word in read]


def read_word(word: str) -> Word:
    """What a word says, with the defaults of what it leaves out.

    Raises:
        InputError: If it is none.
    """
    found = _WORD.fullmatch(word)
    if found is None:
        raise InputError(f"method {word!r}: not understood; {_SYNTAX}")
    name, label = found["kind"], found["kind"] if found["label"] is None else found["label"]
    if name not in KINDS:
        raise InputError(f"method {word!r}: unknown kind {name!r}; choose among {', '.join(KINDS)}")
    if not _LABEL.fullmatch(label):
        raise InputError(
            f"method {word!r}: label {label!r}; give up to 64 letters, digits and _ . + - without accents"
        )
    return Word(label, name, _settings(word, name, found["settings"]))


def _settings(word: str, name: str, text: str | None) -> dict[str, str]:
    keys = KINDS[name].keys
    has = f"{name} has {', '.join(keys)}" if keys else f"{name} has no keys"
    given: dict[str, str] = {}
    for part in re.split(r",(?=\w*=)", text) if text else ():  # a path may hold a comma
        key, equals, value = part.partition("=")
        if not equals or not value or key not in keys or key in given:
            fault = "given twice" if key in given else "unknown" if equals and value else "without a value"
            raise InputError(f"method {word!r}: key {key!r} {fault}; {has}")
        given[key] = value
    settings = {key: given.get(key, default) for key, default in keys.items()}
    lacking = [key for key, value in settings.items() if value is None]
    if lacking:
        raise InputError(f"method {word!r}: no {', '.join(lacking)}; give it as in {name}:{lacking[0]}=...")
    return {key: value for key, value in settings.items() if value is not None}


def made(word: Word, setting: Setting) -> NamedMethod:
    """The method of a word that was read; errors as for `method_of`."""
    kind = KINDS[word.kind]
    if kind.of_data and setting.shards is None:
        others = ", ".join(name for name, one in KINDS.items() if not one.of_data)
        raise InputError(
            f"method {word.kind!r}: looks into a dataset and cannot draw other sounds; choose among {others}"
        )
    return NamedMethod(word.label, kind.make(word.settings, setting), word)


def _ceiling(keys: Mapping[str, str], setting: Setting) -> Method:
    return Ceiling(setting.drawing(keys["generator"]), setting.clips, setting.features)


def _nearest(keys: Mapping[str, str], setting: Setting) -> Method:
    hearing = setting.hearing(keys["audio_encoder"])
    return Nearest(hearing, setting.training, setting.features, setting.resolution)


def _class_mean(_: Mapping[str, str], setting: Setting) -> Method:
    means = (setting.resolution, setting.cache, setting.workers)
    return ClassMean(setting.clips, setting.training, *means)


def _folder(keys: Mapping[str, str], setting: Setting) -> Method:
    clips = setting.clips
    named = (clips.key(position) for position in range(len(clips)))
    return PictureFolder(keys["path"], named, setting.resolution)


_AUDIO, _GENERATOR = {"audio_encoder": defaults.AUDIO_ENCODER}, {"generator": defaults.GENERATOR}
_MANIFOLD = {"audio_network": defaults.MANIFOLD_AUDIO, "autoencoder": defaults.MANIFOLD_AUTOENCODER}
_S2I = {"audio": defaults.S2I_AUDIO, "generator": defaults.S2I_GENERATOR}


def _scene(keys: Mapping[str, str], setting: Setting) -> SoundToScene:
    return SoundToScene(setting.hearing(keys["audio_encoder"]), setting.drawing(keys["generator"]))


KINDS = {
    "sound2scene": Kind(_AUDIO | _GENERATOR, _scene),
    "manifold": Kind(_MANIFOLD, lambda keys, setting: Manifold(**keys, device=setting.device)),
    "s2i": Kind(_S2I, lambda keys, setting: S2I(**keys, device=setting.device)),
    "real": Kind({}, lambda _, setting: Real(setting.clips, setting.resolution), of_data=True),
    "ceiling": Kind(_GENERATOR, _ceiling, of_data=True),
    "nearest": Kind(_AUDIO, _nearest, of_data=True),
    "shuffled": Kind(
        _AUDIO | _GENERATOR,
        lambda keys, setting: Shuffled(_scene(keys, setting), setting.clips),
        of_data=True,
    ),
    "class_mean": Kind({}, _class_mean, of_data=True),
    "folder": Kind({"path": None}, _folder, of_data=True),
}
