"""The template of a kind of document: an uploaded version, a file of the working directory, or the shipped one."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

from enforcement.documents.errors import DocumentNotAllowedError
from enforcement.documents.kinds import find_file, read_documents, shipped_file
from enforcement.documents.package import read_package
from enforcement.documents.render import fill_template
from enforcement.documents.sample import sample_values
from enforcement.documents.template_check import Finding, check_template, fonts_used
from service.context import Context
from service.documents.pdf import missing_fonts
from store.documents.found import kind_named
from store.documents.templates import (
    UPLOADED,
    TemplateFile,
    record_template,
    stop_using,
    template_key,
    use_version,
    used_version,
    version,
)
from store.schema.chain.document_tables import DocumentTemplateRow
from store.schema.database import Session

FOLDER = "folder"
"""Source of a template that lies in the working directory."""


@dataclass(frozen=True)
class Template:
    """A template in use: its bytes, where they come from (uploaded, folder, shipped), and the name of the file."""

    content: bytes
    source: str
    name: str

    @property
    def sha256(self) -> str:
        """Checksum of the bytes."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class CheckedTemplate:
    """A template that may be used, filled with a sample alert, and what is to be said about it."""

    content: bytes
    sample: bytes
    notes: tuple[dict[str, str], ...]


def template_in_use(context: Context, session: Session, kind: str) -> Template:
    """Return the template that new documents of a kind are made from.

    Raises:
        ObjectStoreUnavailable: its bytes cannot be read now.
    """
    chosen = used_version(session, kind)
    if chosen is not None:
        return Template(context.objects.read(chosen.object_key), UPLOADED, chosen.name)
    return template_file(kind)


def checked_template(context: Context, session: Session, kind: str) -> Template:
    """Return the template in use; a file of the working directory, which nobody uploaded, is checked first.

    Raises:
        TemplateRefusedError: it cannot be used; the message says which tags are wrong and where.
        ObjectStoreUnavailable: its bytes cannot be read now.
    """
    template = template_in_use(context, session, kind)
    if template.source == FOLDER:
        check_template(template.content, read_documents())
    return template


def template_file(kind: str) -> Template:
    """Return the file of a kind: of the working directory, else the shipped one."""
    name = kind_named(kind).template
    path = find_file(name)
    content = path.read_bytes()
    shipped = shipped_file(name)
    own = shipped.exists() and hashlib.sha256(shipped.read_bytes()).digest() != hashlib.sha256(content).digest()
    return Template(content, FOLDER if own or not shipped.exists() else "shipped", name)


def check_and_try(kind: str, content: bytes) -> CheckedTemplate:
    """Check a template and fill it with a sample alert.

    Raises:
        TemplateRefusedError: it cannot be used; the message says why and where.
    """
    settings = read_documents()
    findings = check_template(content, settings)
    sample = fill_sample(kind, content)
    if missing := missing_fonts(fonts_used(read_package(content))):
        findings.append(Finding("fonts", "、".join(missing)))
    notes = tuple({"zh": finding.describe("zh"), "en": finding.describe("en")} for finding in findings)
    return CheckedTemplate(content, sample, notes)


def fill_sample(kind: str, content: bytes) -> bytes:
    """Return a template filled with the sample alert.

    Raises:
        TemplateRefusedError: it cannot be filled.
    """
    settings = read_documents()
    return fill_template(content, settings, sample_values(settings, kind_named(kind)))


def keep_template(
    context: Context, kind: str, name: str, checked: CheckedTemplate, *, who: str, now: dt.datetime, session: Session
) -> DocumentTemplateRow:
    """Store an uploaded template and use it from now on."""
    template = Template(checked.content, UPLOADED, name)
    context.objects.put(template_key(template.sha256), template.content)
    return record_template(session, _as_file(kind, template, checked.notes), who=who, now=now)


def registered(
    context: Context, session: Session, kind: str, template: Template, *, who: str, now: dt.datetime
) -> DocumentTemplateRow:
    """Return the version of a template that is being used; its bytes are stored if they are not yet."""
    chosen = used_version(session, kind)
    if chosen is not None and chosen.sha256 == template.sha256:
        return chosen
    context.objects.put(template_key(template.sha256), template.content)
    return record_template(session, _as_file(kind, template), who=who, now=now)


def choose_version(session: Session, kind: str, number: int) -> DocumentTemplateRow | None:
    """Use an earlier version again; 0: the file. Returns the version; None: the file, which is used then.

    Raises:
        DocumentNotAllowedError: there is no such version.
    """
    if number == 0:
        stop_using(session, kind)
        return None
    row = version(session, kind, number)
    if row is None:
        raise DocumentNotAllowedError(f"There is no version {number}.", "documents.no_version", version=number)
    use_version(session, row)
    return row


def _as_file(kind: str, template: Template, notes: tuple[dict[str, str], ...] = ()) -> TemplateFile:
    sha256 = template.sha256
    key, size = template_key(sha256), len(template.content)
    return TemplateFile(kind, template.source, template.name, sha256, key, size, notes)
