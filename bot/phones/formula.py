"""Guards against formulas in exported cells, and reads guarded cells back.

A spreadsheet takes a cell for a formula by its first character (OWASP, "CSV Injection"). Where a cell
begins depends on the reader's locale: one that splits at semicolons finds a cell after each semicolon of a
value. So an apostrophe goes before every such character that follows a separator, and before the
apostrophes that are there already, which makes reading exact.
"""

from __future__ import annotations

import re

# Also in full width, which spreadsheets in East Asia accept.
_STARTS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
# List separators of Windows' locales, those of import dialogs, and line breaks.
_SEPARATORS = ",;\t|:\r\n\v\f\u060c\u061b\u3001\uff0c\uff1b\uff1a\uff5c"
# Quotes and spaces do not keep what follows from being the beginning of a cell. Those that separate are
# not among them, and nothing is tried twice, so that time grows with the length only.
_CELL = rf"(?P<before>(?:\A|[{_SEPARATORS}])(?:[^\S{_SEPARATORS}]|[\"\u201c\u201d])*+)"
_UNGUARDED = re.compile(rf"{_CELL}(?P<guards>'*+)(?=[{_STARTS}])")
_GUARDED = re.compile(rf"{_CELL}'(?P<guards>'*+)(?=[{_STARTS}])")
# At the beginning of a value some spreadsheets skip these, and then see a formula.
_SKIPPED = re.compile(r"'*[\t\r\n]")
_SKIPPED_GUARDED = re.compile(r"'+[\t\r\n]")


def escape_formula(value: str) -> str:
    """`value`, so that no spreadsheet takes it or a part of it for a formula."""
    escaped = _UNGUARDED.sub(r"\g<before>'\g<guards>", value)
    return f"'{escaped}" if _SKIPPED.match(escaped) else escaped


def unescape_formula(cell: str) -> str:
    """The value that `escape_formula` or another tool guarded with apostrophes."""
    if "'" not in cell:
        return cell
    value = cell[1:] if _SKIPPED_GUARDED.match(cell) else cell
    return _GUARDED.sub(r"\g<before>\g<guards>", value)
