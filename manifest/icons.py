"""Draws the two icons of the package from `icon.svg`: `python -m manifest.icons`.

The color icon is the whole picture: the store rounds its corners and expects the logo in the middle 120
of 192 pixels. The outline icon is that middle: only the white glyph, transparent and without padding. The
icons are committed, so resvg is needed only to change them.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import resvg_py

from manifest.document import COLOR, OUTLINE

_SVG = "http://www.w3.org/2000/svg"
_MIDDLE = "36 36 120 120"  # as an SVG viewBox


def main() -> None:
    folder = Path(__file__).parent
    picture = (folder / "icon.svg").read_text(encoding="utf-8")
    (folder / COLOR).write_bytes(resvg_py.svg_to_bytes(svg_string=picture, width=192, height=192))
    glyph = extract_glyph(picture)
    (folder / OUTLINE).write_bytes(resvg_py.svg_to_bytes(svg_string=glyph, width=32, height=32))


def extract_glyph(picture: str) -> str:
    """Returns the SVG without its background, cropped to the middle."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(picture)  # noqa: S314  # our own file
    background = root.find(f"{{{_SVG}}}rect[@id='background']")
    if background is None:
        raise ValueError("icon.svg has no <rect id='background'>")
    root.remove(background)
    root.set("viewBox", _MIDDLE)
    return ElementTree.tostring(root, encoding="unicode")


if __name__ == "__main__":
    main()
