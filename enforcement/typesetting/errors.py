"""Errors of typesetting."""

from __future__ import annotations

from errors import Reason, TubanError


class TypesettingError(TubanError):
    """A template cannot be typeset with the data: a field is missing or has an unexpected type."""


class FontsMissingError(TubanError):
    """A package with fonts is not installed."""


class MissingGlyphError(TubanError):
    """A text has a character that no installed font can print.

    Attributes:
        character: the first such character.
        where: the field of the data, as ``rows.3.cells.2``.
    """

    def __init__(self, character: str, where: str, text: str) -> None:
        """Create the error for a character of ``text``, which stands in the field ``where``."""
        self.character, self.where = character, where
        code, at = f"U+{ord(character):04X}", text.index(character)
        excerpt = "".join(c if c.isprintable() else "□" for c in text[max(0, at - 8) : at + 9])
        super().__init__(
            Reason(
                f"No font has a glyph for {code} in “{excerpt}” ({where}): write it in another way, or put a font that "
                "has it into the folder fonts.",
                "typesetting.missing_glyph",
                character=code,
                excerpt=excerpt,
                where=where,
            )
        )
