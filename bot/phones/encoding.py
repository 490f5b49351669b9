"""Bytes of a text file to text: marks are believed, UTF-8 is proved, the rest is guessed and said so."""

from __future__ import annotations

import codecs

import charset_normalizer

from bot.phones.errors import UnreadableFileError
from bot.phones.issue import Notice

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What Excel saves as "CSV" where it does not save UTF-8: the code page of Windows. Single-byte pages
# cannot be told apart from a few letters, and usernames and hardware ids look the same in all of them,
# so the western one stands for the others; the East Asian ones have a structure that shows.
_WESTERN = "cp1252"
_EAST_ASIAN = ("cp932", "gb18030", "big5", "cp949")
_SHOWN = {
    "cp1252": "Windows-1252",
    "cp932": "Shift JIS",
    "gb18030": "GB 18030",
    "big5": "Big5",
    "cp949": "EUC-KR",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
}
_SAMPLE = 4096  # bytes that are looked at for the zeros of UTF-16


def decode(data: bytes) -> tuple[str, tuple[Notice, ...]]:
    """The text of `data`, with a notice if its encoding was guessed.

    Raises `Unreadable` if the bytes fit no known encoding, or hold NUL characters.
    """
    text, guessed = _decode(data)
    if "\0" in text:
        raise UnreadableFileError("nul-characters")
    return text, (Notice("encoding-guessed", {"encoding": _SHOWN[guessed]}),) if guessed else ()


def _decode(data: bytes) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strictly(data, encoding), ""
    wide = _unmarked_utf16(data[:_SAMPLE])
    if wide:
        return _strictly(data, wide), wide
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        best = charset_normalizer.from_bytes(data, cp_isolation=[_WESTERN, *_EAST_ASIAN]).best()
        guessed = best.encoding if best and best.encoding in _EAST_ASIAN else _WESTERN
        return _strictly(data, guessed), guessed


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeError as error:
        raise UnreadableFileError("encoding") from error


def _unmarked_utf16(sample: bytes) -> str:
    """UTF-16 without a mark shows in the zeros that ASCII characters have as their other byte."""
    pairs = len(sample) // 2
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    if second > 0.4 * pairs and not first:
        return "utf-16-le"
    if first > 0.4 * pairs and not second:
        return "utf-16-be"
    return ""
