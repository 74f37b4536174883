"""Readers of every kind of file, small files for them, and a process that throws damaged ones at them.

Run as a program with a folder, it prints a line of JSON for each damaged file: kind, damage and outcome.
"""

import io
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import soundfile
import torch
from PIL import Image
from safetensors.torch import save_file

from clips import clip
from fabricated import CLASSES
from mutations import Damage, damaged, retyped
from sound2scene import artifacts, audio, cli, images, weights
from sound2scene.data.batches import features
from sound2scene.data.batches.frozen_encoder import Encoding, cached
from sound2scene.data.corpora.labels import read_labels
from sound2scene.data.corpora.manifest import manifest_jobs
from sound2scene.data.selection.file import Selection
from sound2scene.data.selection.parts import Parts
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.shards.verify import verify
from sound2scene.data.toy.truth import draw_truth
from sound2scene.data.toy.world import read_truth
from sound2scene.data.vggsound.annotations import load_published, read_vggss
from sound2scene.data.vggsound.downloads import LEDGER, ledger_of
from sound2scene.data.vggsound.table import read_classes, read_table
from sound2scene.data.video.clip import make_video_clip
from sound2scene.moments import Choice
from sound2scene.types import InputError
from tiny import tiny_dataset, tiny_encoder, tiny_recipe

TRAINER = Path(__file__).resolve().parents[1] / "experiments" / "trainer.yaml"
MEMORY = 2 << 30  # bytes that a reader may take
LIMIT_S = 20  # seconds that a file may take
SCORER = {"name": "middle", "fingerprint": None, "settings": {}}
Z_DIM = 8


class Kind(NamedTuple):
    """What is damaged, and who reads it.

    Attributes:
        name: What it is.
        path: A sound file of the kind, which is damaged in place and restored.
        read: Reads it, and looks at what it got.
        bytes_: Copies with damaged bytes.
        values: Copies of JSON with other values.
    """

    name: str
    path: Path
    read: Callable[[], object]
    bytes_: int = 0
    values: int = 0

    def copies(self) -> Iterator[Damage]:
        """The damaged files, the same ones every time."""
        data = self.path.read_bytes()
        yield Damage("none", data)
        seed = f"{self.name} {self.path.name}"
        yield from damaged(data, self.bytes_, seed)
        yield from retyped(data.decode(), self.values, seed) if self.values else ()


def sounds(folder: Path) -> Iterator[Kind]:
    folder.mkdir(parents=True)
    wave_T = 0.3 * np.sin(np.arange(16_000) / 5)
    for suffix in ("wav", "flac", "ogg", "mp3"):
        path = folder / f"a.{suffix}"
        soundfile.write(path, wave_T, 16_000)

        def read(path: Path = path) -> None:
            waveform_T = audio.load(path)
            assert waveform_T.shape == (160_000,)
            assert np.abs(waveform_T).max() <= 1

        yield Kind("sounds", path, read, 24)


def pictures(folder: Path) -> Iterator[Kind]:
    folder.mkdir(parents=True)
    pixels_HWC = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    for suffix in ("jpg", "png", "webp", "bmp"):
        path = folder / f"a.{suffix}"
        Image.fromarray(pixels_HWC).save(path)

        def read(path: Path = path) -> None:
            picture = images.decode_jpeg(path.read_bytes(), str(path))
            assert picture.mode == "RGB"
            picture.resize((8, 8))

        yield Kind("pictures", path, read, 24)


def videos(folder: Path) -> Iterator[Kind]:
    folder.mkdir(parents=True)
    for suffix, codec in (("mp4", "libx264"), ("mkv", "libx264"), ("avi", "mpeg4")):
        sound = "aac" if suffix != "avi" else "mp3"
        path = clip(folder / f"a.{suffix}", [n / 10 for n in range(22)], codec=codec, sound=sound)

        def read(path: Path = path) -> None:
            job: Any = {"key": "a", "video": str(path), "moment_s": "middle", "label": None, "side_px": 64}
            made = make_video_clip(job)
            images.decode_jpeg(made.jpeg, "made")

        yield Kind("videos", path, read, 24)


def datasets(folder: Path) -> Iterator[Kind]:
    shards = tiny_dataset(folder / "shards", train=3, val=2)

    def read() -> None:
        dataset = ShardDataset(shards, "train")
        for position in range(len(dataset)):
            dataset.metadata(position)
            images.decode_jpeg(dataset.member(position, "jpg"), dataset.where(position))
            assert np.abs(dataset.waveform(position)).max() <= 1
        assert all(isinstance(line, str) for line in verify(shards))

    tar = shards / "train" / "000000.tar"
    yield Kind("shards", tar, read, 60)
    for path in sorted(shards.rglob("*")):
        if path.suffix == ".json":
            yield Kind("records", path, read, 14, 40)
    yield Kind("indexes", shards / "train" / "index.npz", read, 48)


def networks(folder: Path) -> Iterator[Kind]:
    encoder = tiny_encoder(folder / "encoder")

    def load() -> None:
        network = artifacts.load(encoder, kind="image-encoder")
        assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())

    yield Kind("cards", encoder / "card.json", load, 18, 90)
    (tensors,) = encoder.glob("*.safetensors")
    yield Kind("weights", tensors, load, 40)
    state = {"conv.weight": torch.randn(8, 4), "bn.count": torch.tensor(3)}
    save_file(state, folder / "a.safetensors")
    torch.save({"state_dict": state, "epoch": 3, "loops": {"a": [1, 2.0]}}, folder / "a.ckpt")
    torch.save(state, folder / "a.pth", _use_new_zipfile_serialization=False)
    for name, kind in (("a.safetensors", "weights"), ("a.ckpt", "checkpoints"), ("a.pth", "checkpoints")):

        def read(path: Path = folder / name) -> None:
            assert weights.state_of(path)

        yield Kind(kind, folder / name, read, 30)


def tables(folder: Path) -> Iterator[Kind]:
    folder.mkdir(parents=True)
    rows = [f"{'abcdefghij' + str(n)},{n},{CLASSES[n % 2]},{'test' if n < 3 else 'train'}" for n in range(9)]
    (folder / "vggsound.csv").write_text("\n".join(rows) + "\n")
    (folder / "classes.txt").write_text("dog\ndrum\n")
    labels = [f"dog/{n}.mp4,{CLASSES[n % 2]},{'val' if n < 3 else 'train'}" for n in range(9)]
    (folder / "labels.csv").write_text("key,label,split\n" + "\n".join(labels) + "\n")
    pairs = [
        f"{kind}/{n}.{end},{kind},{CLASSES[n % 2]},{'test' if n < 4 else 'train'}"
        for n in range(12)
        for kind, end in (("audio", "wav"), ("image", "jpg"))
    ]
    (folder / "manifest.csv").write_text("file,modality,class,split\n" + "\n".join(pairs) + "\n")
    readers: dict[str, Callable[[Path], object]] = {
        "vggsound.csv": read_table,
        "classes.txt": read_classes,
        "labels.csv": read_labels,
        "manifest.csv": lambda path: manifest_jobs(path, 0.2, 0),
    }
    for name, reader in readers.items():
        yield Kind("tables", folder / name, lambda reader=reader, path=folder / name: reader(path), 24)


def records(folder: Path) -> Iterator[Kind]:
    (folder / "val").mkdir(parents=True)
    choices = {f"dog/{n}": Choice((5.0, 1.0), (0.5, 0.25), 10.0) for n in range(3)}
    Selection(SCORER, choices, {"cat/a": ("silent", "no sound")}).save(folder / "selection.json")
    parts = Parts(folder / "parts.json", SCORER)
    for key, choice in choices.items():
        parts.add(0, key, choice)
    parts.close()
    truths = [json.dumps(draw_truth(0, "val", n).as_json()) for n in range(4)]
    (folder / "val" / "truth.jsonl").write_text("\n".join(truths) + "\n")
    published = [["x"], {f"abcdefghij{n}_000010.mp4": [3, 50, 99] for n in range(3)}]
    (folder / "published.json").write_text(json.dumps(published))
    boxes = [
        {"file": f"abcdefghij{n}_000010", "class": "dog", "bbox": [[0.1, 0.2, 0.8, 0.9]]} for n in (0, 1)
    ]
    (folder / "vggss.json").write_text(json.dumps(boxes))
    lines = [
        {
            "clip": f"abcdefghij{n}_10000_20000",
            "address": "a",
            "state": "dead",
            "kind": "private",
            "reason": "",
        }
        for n in range(3)
    ]
    (folder / LEDGER).write_text("".join(json.dumps(line) + "\n" for line in lines))

    def ledger() -> None:
        with ledger_of(folder):
            pass

    readers: dict[str, Callable[[], object]] = {
        "selection.json": lambda: Selection.load(folder / "selection.json"),
        "parts.json.part-0.jsonl": lambda: Parts(folder / "parts.json", SCORER).selection(),
        "val/truth.jsonl": lambda: [truth.moment_true_s for truth in read_truth(folder, "val")],
        "published.json": lambda: load_published(folder / "published.json"),
        "vggss.json": lambda: read_vggss(folder / "vggss.json"),
        LEDGER: ledger,
    }
    for name, read in readers.items():
        yield Kind("records", folder / name, read, 14, 40)


def caches(folder: Path) -> Iterator[Kind]:
    split = ShardDataset(tiny_dataset(folder / "shards", train=3, val=2), "train")

    def encode(image_BCHW: torch.Tensor) -> torch.Tensor:
        return image_BCHW.flatten(1)[:, :Z_DIM].float()

    def rows() -> np.ndarray:
        features._block.cache_clear()
        found = cached(split, Encoding(encode, "f" * 64, "small64"), str(folder / "features"), 0)
        return np.stack([found.row(position) for position in range(len(split))])

    right_ND = rows()

    def read() -> None:
        found_ND = rows()
        assert found_ND.shape == right_ND.shape
        assert np.isfinite(found_ND).all()

    (path,) = (folder / "features").rglob("*.npy")
    yield Kind("feature caches", path, read, 40)


def runs(folder: Path) -> Iterator[Kind]:
    shards = tiny_dataset(folder / "shards", train=4, val=2)
    recipe = tiny_recipe(folder / "recipe.yaml", shards, tiny_encoder(folder / "encoder"))
    quick = ["--trainer.max_epochs", "1", "--trainer.enable_model_summary", "false"]
    command("fit", "-c", str(TRAINER), "-c", str(recipe), *quick)
    (path,) = (folder / "runs").rglob("best.ckpt")

    def read() -> None:
        command("validate", "-c", str(TRAINER), "-c", str(recipe), *quick, "--ckpt_path", str(path))

    yield Kind("checkpoints", path, read, 24)


def command(*arguments: str) -> None:
    """A command; its line where it refuses."""
    told = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(told):
        sys.argv = ["sound2scene", *arguments]
        status = cli.main()
    if status == 2:
        raise InputError(told.getvalue().splitlines()[-1])
    assert status == 0


ROOMS = (sounds, pictures, videos, datasets, networks, tables, records, caches, runs)


def cases(folder: Path) -> list[tuple[Kind, Damage]]:
    return [
        (kind, damage)
        for number, room in enumerate(ROOMS)
        for kind in room(folder / str(number))
        for damage in kind.copies()
    ]


def outcome(kind: Kind, damage: Damage) -> str:
    """`read`, `refused`, or what went wrong and where."""
    whole = kind.path.read_bytes()
    kind.path.write_bytes(damage.data)
    started_s = time.monotonic()
    try:
        kind.read()
        found = "read"
    except InputError as error:
        line = str(error)
        found = "refused" if line and "\n" not in line and len(line) < 2000 else f"FAILED: {line[:300]!r}"
    except BaseException as error:
        where = [f"{Path(at.filename).name}:{at.lineno}" for at in traceback.extract_tb(error.__traceback__)]
        words = " ".join(str(error).split())[:100]
        found = f"FAILED: {type(error).__name__}: {words} ({' '.join(where[-3:])})"
    kind.path.parent.mkdir(parents=True, exist_ok=True)
    kind.path.write_bytes(whole)
    took_s = time.monotonic() - started_s
    return f"FAILED: took {took_s:.0f} s" if took_s > LIMIT_S else found


def work(given: list[tuple[Kind, Damage]], start: int) -> None:
    """Read one after the other, under a limit of memory, and of time, whose end ends the process."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    for number in range(start, len(given)):
        signal.alarm(LIMIT_S + 5)
        os.write(1, (json.dumps([number, outcome(*given[number])]) + "\n").encode())


def main(folder: Path) -> None:
    """Read all, in a process that is forked anew behind a file that ended the one before."""
    torch.set_num_threads(1)
    av.logging.set_level(None)
    given = cases(folder)
    os.write(1, (json.dumps([[k.name, k.path.name, d.name] for k, d in given]) + "\n").encode())
    start = 0
    while start < len(given):
        coming, going = os.pipe()
        child = os.fork()
        if not child:
            os.close(coming)
            os.dup2(going, 1)
            os.close(going)
            work(given, start)
            os._exit(0)
        os.close(going)
        with os.fdopen(coming) as lines:
            for line in lines:
                os.write(1, line.encode())
                start = json.loads(line)[0] + 1
        _, status = os.waitpid(child, 0)
        if start < len(given):
            why = f"FAILED: ended the process ({os.waitstatus_to_exitcode(status)})"
            os.write(1, (json.dumps([start, why]) + "\n").encode())
            start += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
