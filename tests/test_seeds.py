import itertools
import subprocess
import sys

import torch

from sound2scene.seeds import seed_of


def test_numbers_and_names_that_differ_anywhere_give_other_seeds() -> None:
    keys = itertools.product(range(40), range(40), range(40))
    assert len({seed_of(*three) for three in keys}) == 40**3
    assert (
        len({seed_of(0, "a"), seed_of("a", 0), seed_of("a"), seed_of("a", "0"), seed_of("0", "a"), seed_of()})
        == 6
    )


def test_a_seed_is_one_that_torch_takes() -> None:
    for keys in ((2**62, 2**62, 2**62), ("a" * 1000,), (-1,)):
        seed = seed_of(*keys)
        assert 0 <= seed < 2**63
        torch.Generator().manual_seed(seed)


def test_a_name_gives_the_same_seed_in_every_process() -> None:
    code = "from sound2scene.seeds import seed_of; print(seed_of('clip', 3))"
    run = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert {int(one.stdout) for one in run} == {seed_of("clip", 3)}


def test_a_name_of_bytes_that_are_no_text_has_a_seed_of_its_own() -> None:
    assert len({seed_of("\udcff"), seed_of("\udcfe"), seed_of("?")}) == 3
