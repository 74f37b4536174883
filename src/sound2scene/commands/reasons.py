"""The real reason out of what jsonargparse says of a recipe that it refuses."""

from __future__ import annotations

import re

# Lines that tell which types were tried, not what is wrong.
_NOISE = re.compile(
    r"Does not validate|Subtypes?:|Subtype|Errors:|Given value|Expected a (<class|path)|Not a valid subclass|"
    r"Subclass types expect|a class path|a dict with"
)
_EXPECTED = re.compile(r"Expected a <class '([\w.]+)'>")
_GIVEN = re.compile(r"Given value: (.*)")
_KEY = re.compile(r'Parser key "(?P<key>[^"]+)":?')
_CLASS = re.compile(r"Problem with given class_path '(?P<path>[^']+)':?")


def reason(message: str) -> str:
    """The key and what is wrong with it, in one line.

    Args:
        message: What jsonargparse says, over many lines.
    """
    keys: list[str] = []
    owner, found = "", ""
    for line in message.splitlines():
        text = line.strip().removeprefix("- ")
        if key := _KEY.match(text):
            keys += [key["key"]] if key["key"] not in keys else []
            text = text[key.end() :].strip()
        if named := _CLASS.match(text):
            owner, text = named["path"], text[named.end() :].strip()
        if text and not _NOISE.match(text):
            # The innermost class comes last, and what follows it is the reason.
            found = f"{owner}: {text}" if owner and owner not in text else text
    found = found or _types(message)
    where = ".".join(keys)
    found = re.sub(r" Got value: .*", "", " ".join(found.split()))
    return ": ".join(filter(None, [where, found])) or " ".join(message.split())[:300]


def _types(message: str) -> str:
    """Which types the last key takes, where nothing else is wrong with its value."""
    innermost = _KEY.split(message)[-1]
    given, expected = _GIVEN.search(innermost), _EXPECTED.findall(innermost.split("Given value")[0])
    if not given or not expected:
        return ""
    words = " or ".join("null" if name == "NoneType" else name for name in expected)
    return f"{given[1]} is no {words}; if it looks like one, set it in a recipe file"
