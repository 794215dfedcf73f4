"""Read a Word file as a package of parts, and refuse what does not belong into a template.

Refused: files that are no DOCX, macros, embedded objects, links to other files (a linked picture or template would be
fetched when the document is opened), fields that read other files, document type definitions, and files that unpack
to more bytes than a template needs.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass

from lxml import etree

from enforcement.documents.errors import TemplateRefusedError

MAX_BYTES = 10 * 2**20
"""Largest template."""

_MAX_PARTS = 400
_MAX_UNPACKED = 60 * 2**20
_MAX_XML = 4 * 2**20  # of one part
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_HYPERLINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"
_ACTIVE = re.compile(r"vbaproject|vbadata|activex|/embeddings/|\.bin$|oleobject|attachedtoolbars", re.I)
_READS_FILES = re.compile(r"\b(INCLUDEPICTURE|INCLUDETEXT|DDEAUTO|DDE|LINK|IMPORT|DATABASE|MACROBUTTON|RD)\b", re.I)
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@dataclass(frozen=True)
class Package:
    """The parts of a Word file that hold text.

    Attributes:
        body: root of ``word/document.xml``.
        headers, footers, notes: roots of those parts, in the order of their names.
        styles: root of ``word/styles.xml``; None: it has none.
        properties: text of the core properties.
    """

    body: etree._Element
    headers: tuple[etree._Element, ...]
    footers: tuple[etree._Element, ...]
    notes: tuple[etree._Element, ...]
    styles: etree._Element | None
    properties: str


def read_package(content: bytes) -> Package:
    """Read a Word file.

    Raises:
        TemplateRefusedError: it is not one, or contains something that does not belong into a template.
    """
    if len(content) > MAX_BYTES:
        raise TemplateRefusedError(
            f"The template has {len(content) / 2**20:.1f} MB; expected at most {MAX_BYTES // 2**20} MB.",
            "documents.template_large",
            size=f"{len(content) / 2**20:.1f}",
            most=MAX_BYTES // 2**20,
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = _unpack(archive)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _no_docx() from error
    for name, part in parts.items():
        if name.endswith(".rels"):
            _check_links(part)
    roots = {name: _parse(part) for name, part in parts.items() if _holds_text(name)}
    if "word/document.xml" not in roots:
        raise _no_docx()
    for root in roots.values():
        _check_fields(root)

    def named(what: str) -> tuple[etree._Element, ...]:
        return tuple(root for name, root in sorted(roots.items()) if re.fullmatch(rf"word/{what}\d*\.xml", name))

    properties = roots.get("docProps/core.xml")
    return Package(
        roots["word/document.xml"],
        named("header"),
        named("footer"),
        named("footnotes") + named("endnotes"),
        roots.get("word/styles.xml"),
        "" if properties is None else " ".join(properties.itertext()),
    )


def _unpack(archive: zipfile.ZipFile) -> dict[str, bytes]:
    entries = archive.infolist()
    if len(entries) > _MAX_PARTS or sum(entry.file_size for entry in entries) > _MAX_UNPACKED:
        raise _too_many_bytes()
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names) or "word/document.xml" not in names or "[Content_Types].xml" not in names:
        raise _no_docx()
    if active := [name for name in names if _ACTIVE.search(name)]:
        raise TemplateRefusedError(
            f"The template contains macros or embedded objects ({active[0][:60]}). Save it as .docx without them.",
            "documents.template_active",
            part=active[0][:60],
        )
    parts = {}
    for entry in entries:
        if entry.filename.endswith((".xml", ".rels")):
            if entry.file_size > _MAX_XML:
                raise _too_many_bytes()
            with archive.open(entry) as file:
                part = file.read(_MAX_XML + 1)
            if len(part) > _MAX_XML:
                raise _too_many_bytes()
            parts[entry.filename] = part
    if _MAIN.encode() not in parts["[Content_Types].xml"] or b"macroEnabled" in parts["[Content_Types].xml"]:
        raise _no_docx()
    return parts


def _holds_text(name: str) -> bool:
    return name.endswith(".xml") and (name.startswith("word/") or name == "docProps/core.xml")


def _parse(part: bytes) -> etree._Element:
    if b"<!DOCTYPE" in part or b"<!ENTITY" in part:
        raise _no_docx()
    try:
        return etree.fromstring(part, _PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _no_docx() from error


def _check_links(part: bytes) -> None:
    for relation in _parse(part):
        target, kind = str(relation.get("Target", "")), str(relation.get("Type", ""))
        if relation.get("TargetMode") == "External" and kind != _HYPERLINK:
            what = kind.rpartition("/")[2][:40]
            raise TemplateRefusedError(
                f"The template links to another file ({what}: {target[:80]}). Embed it, or remove the link.",
                "documents.template_link",
                what=what,
                target=target[:80],
            )


def _check_fields(root: etree._Element) -> None:
    words = [str(element.get(f"{W}instr", "")) for element in root.iter(f"{W}fldSimple")]
    words.append("".join(element.text or "" for element in root.iter(f"{W}instrText")))
    for text in words:
        if found := _READS_FILES.search(text):
            raise TemplateRefusedError(
                f"The template contains the field {found[1].upper()}, which reads other files. Remove it.",
                "documents.template_field",
                field=found[1].upper(),
            )
    if next(root.iter(f"{W}altChunk"), None) is not None:
        raise TemplateRefusedError(
            "The template contains another document as a part. Copy its text instead.", "documents.template_chunk"
        )


def _too_many_bytes() -> TemplateRefusedError:
    return TemplateRefusedError("The template unpacks to too many bytes or parts.", "documents.template_unpacks")


def _no_docx() -> TemplateRefusedError:
    return TemplateRefusedError(
        "The file is not a Word document (.docx), or it is damaged or has macros. Save it as .docx and send it again.",
        "documents.template_no_docx",
    )
