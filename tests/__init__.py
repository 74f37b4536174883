"""A package, because one that we install has its own `tests`, which processes of a test would find."""
