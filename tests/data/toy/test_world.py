import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from sound2scene.data.toy import pictures
from sound2scene.data.toy import world as toy
from sound2scene.data.video import decode as video
from sound2scene.types import InputError

CLIPS = {"train": 16, "val": 8, "test": 8}
MIXED = 0.25
SEED = 5


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    toy.write_videos(folder, CLIPS, MIXED, SEED, workers=1)
    return folder


def singles(count: int) -> list[toy.Truth]:
    return [toy.draw_truth(SEED, "train", index) for index in range(count)]


def is_seen(truth: toy.Truth, second: float) -> bool:
    return any(s.start_s - 0.2 < second < s.end_s + 0.2 for s in truth.sources)


def path_of(world: Path, truth: toy.Truth) -> Path:
    return world / truth.split / f"{truth.key}.mp4"


def test_truth_and_rendering_are_functions_of_the_seed_bit_for_bit() -> None:
    for sources in (1, 2):
        first, again = (toy.draw_truth(3, "test", 11, sources) for _ in range(2))
        assert first == again
        assert all(np.array_equal(a, b) for a, b in zip(toy.render(first), toy.render(again), strict=True))
    assert toy.draw_truth(4, "test", 11).sources != toy.draw_truth(3, "test", 11).sources


@pytest.mark.costly
def test_the_object_is_seen_only_around_its_sound() -> None:
    for truth in (*singles(8), toy.draw_truth(SEED, "test", 0, sources=2)):
        frames_THWC, _ = toy.render(truth)
        still_HWC = np.rint(pictures.background(truth.background, truth.seed)).transpose(1, 2, 0)
        for index, image_HWC in enumerate(frames_THWC):
            assert (image_HWC != still_HWC).any() == is_seen(truth, index / 10)


def test_two_sources_together_stay_below_full_scale() -> None:
    for index in range(8):
        _, waveform_T = toy.render(toy.draw_truth(SEED, "test", index, sources=2))
        assert np.abs(waveform_T).max() < 1


@pytest.mark.slow
def test_some_of_the_loudest_clips_and_no_others_touch_full_scale() -> None:
    peaks = {truth.sources[0].loudness_db: np.abs(toy.render(truth)[1]).max() for truth in singles(128)}
    assert max(peak for loudness_db, peak in peaks.items() if loudness_db < -8) < 1
    assert max(peaks.values()) == 1


@pytest.mark.costly
def test_decoded_videos_match_their_truth(world: Path) -> None:
    truths = [t for split in CLIPS for t in toy.read_truth(world, split)]
    assert len(truths) == sum(CLIPS.values()) * (1 + MIXED)
    for truth in truths:
        path = path_of(world, truth)
        frames_THWC, rendered_T = toy.render(truth)
        with av.open(str(path)) as container:
            assert container.duration / av.time_base == pytest.approx(10, abs=0.1)
            assert sum(1 for _ in container.decode(container.streams.video[0])) == 100
        waveform_T = video.sound(path)
        assert 160_000 <= len(waveform_T) < 162_000
        for source in truth.sources if truth.label else ():
            part_T = waveform_T[round(source.start_s * 16_000) : round(source.end_s * 16_000)]
            assert 20 * np.log10(np.sqrt(np.mean(part_T**2))) == pytest.approx(source.loudness_db, abs=1.5)
        drift = np.fft.irfft(np.fft.rfft(waveform_T, 2**18) * np.fft.rfft(rendered_T, 2**18).conj())
        assert abs((int(drift.argmax()) + 2**17) % 2**18 - 2**17) <= 16  # 1 ms
        for second in (truth.moment_true_s, 5.0):
            image_HWC = video.frame_at(path, second)
            error = np.abs(image_HWC.astype(float) - frames_THWC[int(second * 10)]).mean()
            assert error < 6
        assert path.stat().st_size < 250_000


def test_a_share_of_mixed_clips_comes_to_every_split(world: Path) -> None:
    for split, count in CLIPS.items():
        keys = [truth.key for truth in toy.read_truth(world, split) if truth.label is None]
        assert keys == [f"toy-{split}-mix-{index:06d}" for index in range(count // 4)]


def test_only_what_is_missing_is_written_again_and_comes_out_the_same(world: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(world, tmp_path / "copy"))
    lost = folder / "val" / "toy-val-000003.mp4"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.mp4")}
    content = lost.read_bytes()
    lost.unlink()
    (folder / "val" / "truth.jsonl").unlink()
    toy.write_videos(folder, CLIPS, MIXED, SEED, workers=1)
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*.mp4")}
    assert {path for path in after if after[path] != before[path]} == {lost}
    assert lost.read_bytes() == content
    assert len(toy.read_truth(folder, "val")) == CLIPS["val"] * (1 + MIXED)


@pytest.mark.costly
def test_processes_write_the_same_bytes_as_one(world: Path, tmp_path: Path) -> None:
    toy.write_videos(tmp_path, {"train": 4}, 0, SEED, workers=2)
    for path in sorted((tmp_path / "train").glob("*.mp4")):
        assert path.read_bytes() == (world / "train" / path.name).read_bytes()


def test_a_failed_video_leaves_nothing_behind_and_no_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out(path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(toy, "_encode", run_out)
    with pytest.raises(InputError, match=r"000000\.mp4: cannot be written \(No space left on device\)"):
        toy.write_videos(tmp_path, {"val": 1}, 0, 0, workers=1)
    assert [p.name for p in (tmp_path / "val").iterdir()] == []
    with pytest.raises(InputError, match=r"truth\.jsonl: missing"):
        toy.read_truth(tmp_path, "val")


@pytest.mark.parametrize(
    ("clips", "mixed", "seed"), [({"train": 17}, MIXED, SEED), (CLIPS, 0.5, SEED), (CLIPS, MIXED, 6)]
)
def test_a_folder_of_other_settings_is_refused(
    world: Path, clips: dict[str, int], mixed: float, seed: int
) -> None:
    with pytest.raises(InputError, match="other settings") as caught:
        toy.write_videos(world, clips, mixed, seed, workers=1)
    assert "\n" not in str(caught.value)


def test_negative_numbers_are_refused(tmp_path: Path) -> None:
    for clips, mixed, seed in (({"train": -1}, 0, 0), ({}, -1, 0), ({}, 0, -1)):
        with pytest.raises(InputError, match="0 or more"):
            toy.write_videos(tmp_path, clips, mixed, seed, workers=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "damage", "complaint"),
    [
        ("val/truth.jsonl", b"{}\n", r"truth\.jsonl:1: Object missing required field"),
        ("val/truth.jsonl", b"", None),
        ("val/truth.jsonl", b"\xff\n", r"truth\.jsonl:1: .*no UTF-8"),
        ("val/truth.jsonl", b"[" * 10**5, r"truth\.jsonl:1: .*nested too deep"),
        ("toy.json", b"[]", r"toy\.json: Expected `object`, got `array`"),
        ("toy.json", b'{"seed": 1' + b"0" * 5000 + b"}", r"toy\.json: .*a whole number of 5001 digits"),
    ],
)
def test_damaged_records_of_the_world_are_refused_in_one_line(
    name: str, damage: bytes, complaint: str | None, tmp_path: Path
) -> None:
    toy.write_videos(tmp_path, {"val": 1}, 0, 0, workers=1)
    (tmp_path / name).write_bytes(damage)

    def read() -> None:
        toy.read_truth(tmp_path, "val")
        toy.write_videos(tmp_path, {"val": 1}, 0, 0, workers=1)

    if complaint is None:
        return read()
    with pytest.raises(InputError, match=complaint) as caught:
        read()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", [{"sources": []}, {"seed": "1"}, {"sources": [{"kind": "dog"}]}])
def test_a_truth_that_lacks_something_is_refused(change: dict[str, object]) -> None:
    values = json.loads(json.dumps(toy.draw_truth(0, "train", 0).as_json()))
    assert toy.Truth.from_json(values | {"more": 1}) == toy.draw_truth(0, "train", 0)
    with pytest.raises(InputError, match=r"^toy-1: .*; write the toy world again"):
        toy.Truth.from_json(values | change, "toy-1")
