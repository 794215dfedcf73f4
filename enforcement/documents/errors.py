"""Errors of documents and of their templates."""

from __future__ import annotations

from errors import SettingsError, TubanError


class TemplateRefusedError(SettingsError):
    """A template is not used: what is wrong and where; the messages are in Chinese and English.

    Attributes:
        findings: all findings, as :class:`enforcement.documents.template_check.Finding`.
    """

    findings: tuple[object, ...] = ()


class DocumentNotAllowedError(TubanError):
    """The document, the alert or the role does not allow this step."""


class ConversionError(TubanError):
    """A document could not be converted into PDF."""
