"""The one way from many keys to one seed: chance depends on what it belongs to, never on what came before."""

from __future__ import annotations

import hashlib

_MODULUS = 2**63


def seed_of(*keys: int | str) -> int:
    """One seed in [0, 2**63) from several numbers and names; the same keys give the same seed on any machine.

    Numbers are mixed by a linear congruential step each, so that neighbouring ones lie far apart, without the
    collisions of a sum; names enter by their hash (not Python's, which differs from process to process).
    """
    seed = 0
    for key in keys:
        number = key if isinstance(key, int) else _number(key)
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % _MODULUS
    return seed


def _number(name: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest(), "big"
    )
