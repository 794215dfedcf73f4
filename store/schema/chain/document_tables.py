"""Tables of documents: versions of templates, documents of alerts with their numbers, and what happened to each."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class DocumentTemplateRow(IdMixin, Base):
    """A version of the Word template of one kind of document; its bytes never change."""

    __tablename__ = "document_templates"
    kind: Mapped[str] = mapped_column(String(40), index=True)  # configs/documents/documents.yaml
    version: Mapped[int] = mapped_column(Integer)  # from 1, within the kind
    source: Mapped[str] = mapped_column(String(10))  # shipped, folder (working directory), uploaded
    name: Mapped[str] = mapped_column(String(200))  # file name, for display
    sha256: Mapped[str] = mapped_column(String(64))
    object_key: Mapped[str] = mapped_column(String(400))
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    state: Mapped[str] = mapped_column(String(10))  # used (of uploaded ones the newest such one), kept
    notes: Mapped[list[Any]] = mapped_column(JSON, default=list)  # findings of the check that refuse nothing
    who: Mapped[str] = mapped_column(String(100))
    at: Mapped[dt.datetime]
    __table_args__ = (
        UniqueConstraint("kind", "version", name="uq_document_templates_kind_version"),
        UniqueConstraint("kind", "sha256", name="uq_document_templates_kind_sha256"),
    )


class DocumentRow(IdMixin, Base):
    """A document of an alert: draft, checked, issued, served, replied or void. A row is never deleted."""

    __tablename__ = "documents"
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40), index=True)
    state: Mapped[str] = mapped_column(String(10), index=True)
    about_id: Mapped[int | None] = mapped_column(ForeignKey("documents.id"), index=True)  # the one it proves or ends
    data: Mapped[dict[str, Any]] = mapped_column(JSON)  # what people entered; at issue all values of the template
    # number, given at issue: one sequence for each series, area and year
    number: Mapped[str | None] = mapped_column(String(100))
    series: Mapped[str | None] = mapped_column(String(40))
    series_area: Mapped[str | None] = mapped_column(String(12))
    series_year: Mapped[int | None] = mapped_column(Integer)
    series_value: Mapped[int | None] = mapped_column(Integer)
    template_id: Mapped[int | None] = mapped_column(ForeignKey("document_templates.id"), index=True)
    template_version: Mapped[int | None] = mapped_column(Integer)
    template_sha256: Mapped[str] = mapped_column(String(64), default="")
    # the produced files: of the last preview, from the issue on of the document itself
    docx_key: Mapped[str] = mapped_column(String(400), default="")
    docx_sha256: Mapped[str] = mapped_column(String(64), default="")
    pdf_key: Mapped[str] = mapped_column(String(400), default="")
    pdf_sha256: Mapped[str] = mapped_column(String(64), default="")
    pdf_state: Mapped[str] = mapped_column(String(20), default="")  # waiting, done, failed, no_converter; "": none
    drafted_by: Mapped[str] = mapped_column(String(100))
    drafted_at: Mapped[dt.datetime]
    changed_by: Mapped[str] = mapped_column(String(100))  # who entered values last
    checked_by: Mapped[str] = mapped_column(String(100), default="")
    checked_at: Mapped[dt.datetime | None]
    issued_by: Mapped[str] = mapped_column(String(100), default="")
    issued_at: Mapped[dt.datetime | None]
    issued_on: Mapped[dt.date | None] = mapped_column(index=True)
    served_by: Mapped[str] = mapped_column(String(100), default="")
    served_at: Mapped[dt.datetime | None]
    served_on: Mapped[dt.date | None]
    replied_by: Mapped[str] = mapped_column(String(100), default="")
    replied_at: Mapped[dt.datetime | None]
    replied_on: Mapped[dt.date | None]
    reply_due: Mapped[dt.date | None] = mapped_column(index=True)  # last day on time; None: no reply is expected
    voided_by: Mapped[str] = mapped_column(String(100), default="")
    voided_at: Mapped[dt.datetime | None]
    void_reason: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(Integer, default=1)
    __table_args__ = (
        UniqueConstraint("series", "series_area", "series_year", "series_value", name="uq_documents_series_value"),
        UniqueConstraint("series_area", "number", name="uq_documents_series_area_number"),
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class DocumentEntryRow(IdMixin, Base):
    """What happened to a document; append-only."""

    __tablename__ = "document_entries"
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"), index=True)
    at: Mapped[dt.datetime]
    who: Mapped[str] = mapped_column(String(100))
    what: Mapped[str] = mapped_column(String(20))  # drafted, changed, checked, issued, served, …
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
