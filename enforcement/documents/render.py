"""Fill a Word template with values."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from docxtpl import DocxTemplate
from jinja2 import Environment, TemplateError, nodes
from lxml import etree

from enforcement.documents.errors import TemplateRefusedError
from enforcement.documents.expressions import Scope, environment, faults_of
from enforcement.documents.kinds import ENTRY_NAMES, Documents
from enforcement.documents.package import read_package
from enforcement.documents.template_check import Finding, known_names, list_names, refusal
from enforcement.documents.values import with_chinese_names


class _StrictTemplate(DocxTemplate):  # type: ignore[misc]  # the package has no types
    """A template that refuses XML which is not well-formed, instead of cutting it, and what is not allowed."""

    def __init__(self, content: bytes, scope: Scope) -> None:
        super().__init__(io.BytesIO(content))
        self._scope = scope

    def render_xml_part(
        self, src_xml: str, part: Any, context: Mapping[str, Any], jinja_env: Environment | None = None
    ) -> str:
        """Check the language of a part, and fill it."""
        tree = environment().parse(src_xml)
        loops = tree.find_all(nodes.For)
        entries = frozenset(each.target.name for each in loops if isinstance(each.target, nodes.Name))
        scope = Scope(self._scope.names, self._scope.lists, entries, self._scope.attributes)
        if faults := list(faults_of(tree, scope)):
            raise refusal([Finding(code, what) for code, what in faults])
        filled: str = super().render_xml_part(src_xml, part, context, jinja_env)
        return filled

    def fix_tables(self, xml: str) -> Any:
        """Parse the filled body strictly before the engine's lenient parser sees it."""
        etree.fromstring(xml)
        return super().fix_tables(xml)

    def render_properties(self, context: Mapping[str, Any], jinja_env: Environment | None = None) -> None:
        """Leave the properties of the file as they are."""


def fill_template(content: bytes, settings: Documents, values: Mapping[str, Any]) -> bytes:
    """Return the Word document of a template and values.

    Args:
        content: of the template.
        settings: with the names of the fields.
        values: by English name (:func:`enforcement.documents.values.template_values`).

    Raises:
        TemplateRefusedError: the template is not usable with these settings; the message says why.
    """
    read_package(content)
    scope = Scope(
        known_names(settings), list_names(settings), frozenset(), frozenset([*ENTRY_NAMES, *ENTRY_NAMES.values()])
    )
    try:
        document = _StrictTemplate(content, scope)
        document.render(with_chinese_names(settings, values), environment(), autoescape=True)
        out = io.BytesIO()
        document.save(out)
    except TemplateRefusedError:
        raise
    except TemplateError as error:
        context = " ".join("".join(getattr(error, "docx_context", ())).split())[:80]
        words = f"{error.message or type(error).__name__}" + (f" ({context})" if context else "")
        raise refusal([Finding("syntax", words)]) from error
    except (etree.XMLSyntaxError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise refusal([Finding("syntax", str(error)[:120])]) from error
    return out.getvalue()
