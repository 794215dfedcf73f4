"""Evidence of a step for the log of the alert's page: labels, values and links to its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from enforcement.steps.evidence_words import evidence_in_words


def shown_evidence(evidence: Mapping[str, Any], number: str, root: str, language: str) -> list[dict[str, Any]]:
    """Return the entries of a transition's evidence, each with its files.

    Args:
        evidence: of the transition.
        number: of the alert.
        root: path under which the pages are served.
        language: ``zh`` or ``en``.
    """
    base = f"{root}/api/alerts/{quote(number, safe='')}/files"
    pictures = f"{root}/alerts/{quote(number, safe='')}/images"
    return [
        {
            "label": entry.label,
            "words": entry.words,
            "picture": f"{pictures}/{entry.image['image']}/picture" if entry.image else None,
            "files": [
                {
                    "name": str(file.get("name") or file["file"]),
                    "address": f"{base}/{file['file']}",
                    "shown": f"{base}/{file['file']}/shown" if str(file.get("type")).startswith("image/") else None,
                    "sha256": str(file.get("sha256") or ""),
                }
                for file in entry.files
            ],
        }
        for entry in evidence_in_words(evidence, language)
    ]
