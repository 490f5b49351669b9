"""Decodes text files: byte order mark first, then strict UTF-8, then a guess with a notice."""

from __future__ import annotations

import codecs

import charset_normalizer

from bot.phones.errors import UnreadableFileError
from bot.phones.issue import Notice

# UTF-32 before UTF-16: the UTF-32 LE mark starts with the UTF-16 LE mark.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Excel's "CSV" that is not UTF-8 uses the Windows code page. Single-byte code pages cannot be told apart
# by a few letters, and usernames and hardware IDs look the same in all of them, so the Western one stands
# for all. East Asian code pages have a recognizable structure.
_WESTERN = "cp1252"
_EAST_ASIAN = ("cp932", "gb18030", "big5", "cp949")
_DISPLAY_NAMES = {
    "cp1252": "Windows-1252",
    "cp932": "Shift JIS",
    "gb18030": "GB 18030",
    "big5": "Big5",
    "cp949": "EUC-KR",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
}
_SAMPLE_BYTES = 4096  # examined for the zero bytes of UTF-16


def decode(data: bytes) -> tuple[str, tuple[Notice, ...]]:
    """Decode `data`, with a notice if the encoding was guessed.

    Raises `UnreadableFileError` when no known encoding fits, or when the text contains NUL characters.
    """
    text, guessed = _decode(data)
    if "\0" in text:
        raise UnreadableFileError("nul-characters")
    return text, (
        Notice("encoding-guessed", {"encoding": _DISPLAY_NAMES[guessed]}),
    ) if guessed else ()


def _decode(data: bytes) -> tuple[str, str]:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decode_as(data, encoding), ""
    utf16 = _utf16_without_bom(data[:_SAMPLE_BYTES])
    if utf16:
        return _decode_as(data, utf16), utf16
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        best = charset_normalizer.from_bytes(data, cp_isolation=[_WESTERN, *_EAST_ASIAN]).best()
        guessed = best.encoding if best and best.encoding in _EAST_ASIAN else _WESTERN
        return _decode_as(data, guessed), guessed


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeError as error:
        raise UnreadableFileError("encoding") from error


def _utf16_without_bom(sample: bytes) -> str:
    """UTF-16 without a byte order mark, detected by the zero byte of each ASCII character.

    Returns the codec name, or "" when the sample is not UTF-16.
    """
    pairs = len(sample) // 2
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    if second > 0.4 * pairs and not first:
        return "utf-16-le"
    if first > 0.4 * pairs and not second:
        return "utf-16-be"
    return ""
