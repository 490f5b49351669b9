"""The committed icons meet Teams' requirements, pixel by pixel."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

import manifest
from manifest import document

_RGBA = 6
_BYTES = 4  # per pixel


@dataclass(frozen=True)
class Picture:
    """A decoded PNG."""

    #: Top down; each pixel is (red, green, blue, alpha).
    rows: list[list[tuple[int, int, int, int]]]

    @property
    def pixels(self) -> list[tuple[int, int, int, int]]:
        return [pixel for row in self.rows for pixel in row]


def picture(name: str, size: int) -> Picture:
    content = Path(manifest.__path__[0], name).read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    offset, compressed = 8, b""
    while offset < len(content):
        length, kind = struct.unpack(">I4s", content[offset : offset + 8])
        body = content[offset + 8 : offset + 8 + length]
        checksum = content[offset + 8 + length : offset + 12 + length]
        assert zlib.crc32(kind + body) == int.from_bytes(checksum)
        if kind == b"IHDR":
            assert struct.unpack(">IIBBBBB", body) == (size, size, 8, _RGBA, 0, 0, 0)
        elif kind == b"IDAT":
            compressed += body
        offset += 12 + length
    return Picture(_unfilter(zlib.decompress(compressed), size))


def _unfilter(lines: bytes, size: int) -> list[list[tuple[int, int, int, int]]]:
    """https://www.w3.org/TR/png-3/#9Filters"""
    width = size * _BYTES
    above = bytearray(width)
    rows: list[list[tuple[int, int, int, int]]] = []
    for start in range(0, len(lines), width + 1):
        filter_type, line = lines[start], bytearray(lines[start + 1 : start + 1 + width])
        for x in range(width):
            left = line[x - _BYTES] if x >= _BYTES else 0
            corner = above[x - _BYTES] if x >= _BYTES else 0
            line[x] = (line[x] + _predict(filter_type, left, above[x], corner)) % 256
        above = line
        rows.append(
            [(line[x], line[x + 1], line[x + 2], line[x + 3]) for x in range(0, width, _BYTES)]
        )
    assert len(rows) == size
    return rows


def _predict(filter_type: int, left: int, up: int, corner: int) -> int:
    if filter_type == 4:
        estimate = left + up - corner
        return min((left, up, corner), key=lambda value: abs(estimate - value))
    return (0, left, up, (left + up) // 2)[filter_type]


@pytest.fixture(scope="module")
def outline() -> Picture:
    return picture(document.OUTLINE, 32)


@pytest.fixture(scope="module")
def color() -> Picture:
    return picture(document.COLOR, 192)


def test_outline_is_white_on_transparent(outline: Picture) -> None:
    assert {pixel[:3] for pixel in outline.pixels if pixel[3]} == {(255, 255, 255)}
    alphas = [pixel[3] for pixel in outline.pixels]
    assert 0.25 < alphas.count(255) / len(alphas) < 0.75
    assert alphas.count(0) / len(alphas) > 0.25


def test_outline_has_no_padding(outline: Picture) -> None:
    rows = outline.rows
    for edge in (rows[0], rows[-1], [row[0] for row in rows], [row[-1] for row in rows]):
        assert any(pixel[3] > 127 for pixel in edge)


def test_color_background_fills_square(color: Picture) -> None:
    """The store rounds the corners and adds the border."""
    accent = (*bytes.fromhex(document.ACCENT[1:]), 255)
    assert {pixel[3] for pixel in color.pixels} == {255}
    middle = range(36, 156)
    assert {
        pixel
        for y, row in enumerate(color.rows)
        for x, pixel in enumerate(row)
        if x not in middle or y not in middle
    } == {accent}


def test_color_glyph_has_required_contrast(color: Picture) -> None:
    """At least 4.5 to 1: https://www.w3.org/TR/WCAG22/#contrast-minimum"""
    assert (255, 255, 255, 255) in color.pixels
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (byte / 255 for byte in bytes.fromhex(document.ACCENT[1:]))
    ]
    luminance = sum(
        weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )
    assert 1.05 / (luminance + 0.05) >= 4.5
