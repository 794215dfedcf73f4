"""The files of a document of an alert for a command: as on its page, or a draft with proposed words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enforcement.documents.errors import ConversionError, DocumentNotAllowedError
from enforcement.documents.kinds import read_documents
from enforcement.documents.values import check_data
from errors import OutputError, SettingsError
from service.context import Context
from service.documents.pdf import convert_to_pdf, converter
from service.documents.produce import fill_draft
from store.access.rights import COMMAND
from store.documents.alert_words import ISSUED, alert_facts
from store.documents.drafting import proposed
from store.documents.found import documents_of, kind_named
from store.schema.chain.document_tables import DocumentRow
from store.search.alert_search import alert_by_number


@dataclass(frozen=True)
class DocumentFiles:
    """The files of a document.

    Attributes:
        name: of the files, without extension.
        number: of the issued document; "": a draft.
        docx: the Word file.
        pdf: the PDF; None: there is no LibreOffice.
    """

    name: str
    number: str
    docx: bytes
    pdf: bytes | None

    def write(self, folder: Path) -> list[Path]:
        """Write the files into a folder and return their paths.

        Raises:
            OutputError: the folder cannot be written.
        """
        paths = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for extension, content in (("docx", self.docx), ("pdf", self.pdf)):
                if content is not None:
                    path = folder / f"{self.name}.{extension}"
                    path.write_bytes(content)
                    paths.append(path)
        except OSError as error:
            raise OutputError(f"{folder} cannot be written: {error.strerror or error}.") from error
        return paths


def document_files(context: Context, kind: str, number: str, given: Mapping[str, Any] | None = None) -> DocumentFiles:
    """Return the files of the newest document of a kind of an alert that is not void.

    Args:
        context: database, object store, settings.
        kind: name or Chinese name of the kind.
        number: of the alert.
        given: values of fields, for a draft.

    Raises:
        SettingsError: there is no such alert, or a value is refused.
        DocumentNotAllowedError: there is no such kind, or it requires a determination that the alert does not have.
        TemplateRefusedError: the template cannot be filled.
    """
    names = {each.zh: name for name, each in read_documents().kinds.items()}
    name = names.get(kind, kind)
    settings = kind_named(name)
    with context.database.read() as session:
        alert = alert_by_number(session, COMMAND, number)
        if alert is None:
            raise SettingsError(f"There is no alert {number[:40]!r}.", "documents.no_alert", alert=number[:40])
        rows = [row for row in documents_of(session, alert.id) if row.kind == name and row.state != "void"]
        issued = next((row for row in rows if row.state in ISSUED), None)
        if issued is not None and not given:
            return _kept(context, issued, f"{number} {settings.zh}")
        facts = alert_facts(session, alert, context.settings.zone)
        if settings.determined and not facts.confirmed:
            raise DocumentNotAllowedError(
                f"A {settings.en} requires that a person determined the alert; {number} is only suspected.",
                "documents.not_determined",
                kind=settings.zh,
                alert=number,
            )
        data = rows[0].data if rows and rows[0].state not in ISSUED else proposed(session, alert, facts, name)
        data = {**data, **check_data(read_documents(), settings, given or {})}
        docx = fill_draft(context, session, alert, name, data)
    return DocumentFiles(f"{number} {settings.zh}", "", docx, _pdf(docx))


def _kept(context: Context, row: DocumentRow, name: str) -> DocumentFiles:
    docx = context.objects.read(row.docx_key)
    pdf = context.objects.read(row.pdf_key) if row.pdf_key else _pdf(docx)
    return DocumentFiles(name, row.number or "", docx, pdf)


def _pdf(docx: bytes) -> bytes | None:
    if converter() is None:
        return None
    try:
        return convert_to_pdf(docx)
    except ConversionError:
        return None
