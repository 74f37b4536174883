"""A package, because one that we install has a package `tests` of its own, which processes of a test would find."""
