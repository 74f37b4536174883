import io
import json
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from sound2scene.data.shards.index import Index, Location, scan_shard
from sound2scene.types import InputError

ABOUT = json.dumps({"label": "bell", "moment_s": None, "metadata": {}}).encode()
CLIP = [("a.jpg", b"picture"), ("a.flac", b"sound!"), ("a.json", ABOUT)]


def shard(members: list[tuple[str, bytes]]) -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in members:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return io.BytesIO(file.getvalue())


def test_a_scan_finds_every_member_where_its_bytes_lie() -> None:
    members = (
        CLIP
        + [(name.replace("a.", "b-_1."), data + b"2") for name, data in CLIP[:2]]
        + [("b-_1.json", ABOUT)]
    )
    file = shard(members)
    rows = list(scan_shard(file, "000000.tar"))
    assert [(row["key"], row["label"]) for row in rows] == [("a", "bell"), ("b-_1", "bell")]
    found = [
        file.getvalue()[start : start + size]
        for row in rows
        for start, size in zip(row["offset"], row["size"], strict=True)
    ]
    assert found == [data for _, data in members]


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        (shard(CLIP[:2]), "clip a has members"),
        (shard([*CLIP, CLIP[1]]), "clip a stands twice"),
        (shard([*CLIP[:2], ("a.json", b"{")]), "not valid JSON"),
        (shard([*CLIP[:2], ("a.json", b"[1]")]), "Expected `object`"),
        (shard([*CLIP[:2], ("a.json", b"{}")]), "Object missing required field"),
        (shard([*CLIP[:2], ("a.json", ABOUT.replace(b'"bell"', b"7"))]), r"Expected .* at `\$\.label`"),
        (io.BytesIO(shard(CLIP).getvalue()[:1600]), "damaged shard"),
        (io.BytesIO(b"not a tar at all" * 100), "damaged shard"),
        (io.BytesIO(b""), "damaged shard"),
    ],
    ids=[
        "no json",
        "twice",
        "cut json",
        "list for json",
        "no label",
        "label is a number",
        "cut tar",
        "no tar",
        "empty",
    ],
)
def test_a_damaged_shard_is_refused_in_one_line_that_names_it(file: io.BytesIO, complaint: str) -> None:
    with pytest.raises(InputError, match=rf"^folder/000000\.tar(:a\.json)?: {complaint}") as caught:
        list(scan_shard(file, "folder/000000.tar"))
    assert "\n" not in str(caught.value)


def located(number: int, label: str | None) -> Location:
    return {"key": f"k{number}", "label": label, "offset": [number, 2, 3], "size": [4, 5, number]}


SHARDS = [[located(0, "bell"), located(1, None)], [located(2, "drum")]]


def saved(index: Index) -> io.BytesIO:
    file = io.BytesIO()
    index.save(file)
    return io.BytesIO(file.getvalue())


@pytest.mark.parametrize("shards", [SHARDS, []], ids=["some", "none"])
def test_an_index_comes_back_as_it_was_saved(shards: list[list[Location]]) -> None:
    index = Index.from_shards(shards, ["drum", "bell"])
    again = Index.load(saved(index), "index.npz")
    for name, array in vars(index).items():
        assert np.array_equal(array, vars(again)[name])
        assert array.dtype == vars(again)[name].dtype


def test_an_index_says_shard_class_and_place_of_each_clip() -> None:
    index = Index.from_shards(SHARDS, ["drum", "bell"])
    assert index.key_N.tolist() == [b"k0", b"k1", b"k2"]
    assert index.shard_N.tolist() == [0, 0, 1]
    assert index.label_N.tolist() == [1, -1, 0]
    assert index.offset_NM.tolist() == [[0, 2, 3], [1, 2, 3], [2, 2, 3]]
    assert index.size_NM.tolist() == [[4, 5, 0], [4, 5, 1], [4, 5, 2]]


def npz(**arrays: object) -> io.BytesIO:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return io.BytesIO(file.getvalue())


GOOD = {
    "shard": np.zeros(2, np.int32),
    "offset": np.zeros((2, 3), np.int64),
    "size": np.zeros((2, 3), np.int64),
    "label": np.zeros(2, np.int32),
    "key": np.array([b"a", b"b"]),
}


def compressed() -> io.BytesIO:
    """A file of 1 MB whose arrays fill a memory."""
    file = io.BytesIO()
    np.savez_compressed(file, **GOOD | {"key": np.zeros(10**6, "S1")})  # type: ignore[arg-type]
    return io.BytesIO(file.getvalue())


def huge() -> io.BytesIO:
    """An array that says that it has more numbers than any memory."""
    data = npz(**GOOD).getvalue()
    return io.BytesIO(data.replace(b"'shape': (2, 3), }" + b" " * 12, b"'shape': (9999999999999, 3), }"))


@pytest.mark.parametrize(
    "file",
    [
        npz(**GOOD | {"key": np.array(["a", {"b": 1}], dtype=object)}),
        npz(**GOOD | {"offset": np.zeros((2, 2), np.int64)}),
        npz(**GOOD | {"label": np.zeros(3, np.int32)}),
        npz(**GOOD | {"size": np.zeros((2, 3), np.float64)}),
        npz(shard=GOOD["shard"]),
        npz(**GOOD | {"key": np.array([b"a", b"a"])}),
        npz(**GOOD | {"key": np.array([b"a", b"\xff"])}),
        compressed(),
        huge(),
        io.BytesIO(npz(**GOOD).getvalue()[:-100]),
        io.BytesIO(b"\x80\x04K\x01."),
        io.BytesIO(b""),
    ],
    ids=[
        "pickle inside",
        "two members",
        "ragged",
        "floats",
        "missing",
        "a key twice",
        "no ASCII",
        "compressed",
        "huge",
        "cut",
        "pickle",
        "empty",
    ],
)
def test_a_damaged_index_is_refused_in_one_line_and_never_unpickled(file: io.BytesIO) -> None:
    assert len(Index.load(npz(**GOOD), "x").key_N) == 2
    with pytest.raises(InputError, match=r"^val/index\.npz: damaged index") as caught:
        Index.load(file, "val/index.npz")
    assert "\n" not in str(caught.value)


WHOLE = Index(*GOOD.values())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("shard_N", -1),
        ("shard_N", 2),
        ("offset_NM", -1),
        ("offset_NM", 95),
        ("offset_NM", 2**63 - 1),
        ("size_NM", -1),
        ("size_NM", 2**63 - 1),
        ("label_N", -2),
        ("label_N", 3),
    ],
)
def test_an_index_that_points_outside_shards_or_classes_is_refused(column: str, value: int) -> None:
    sizes = {"size_NM": np.full((2, 3), 10, np.int64)}
    index = replace(WHOLE, **sizes)
    index.check(np.array([100, 100]), 3, "val/index.npz")
    array = np.array(getattr(index, column), np.int64)
    array.flat[1] = value
    with pytest.raises(InputError, match=r"^val/index\.npz: points outside the shards or classes"):
        replace(index, **{column: array}).check(np.array([100, 100]), 3, "val/index.npz")
