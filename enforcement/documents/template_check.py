"""Check a template: its fields with their places, its fonts and page numbers, and that it can be filled.

A template uses ``{{ field }}``, ``{% if field %}`` and ``{% for entry in enclosures %}``, with the prefixes of docxtpl
for whole paragraphs and table rows (``{%p``, ``{%tr``). Everything else of the template language is refused, so that
filling a template takes no longer than its length and its lists allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jinja2 import TemplateSyntaxError, nodes
from lxml import etree

from enforcement.documents.errors import TemplateRefusedError
from enforcement.documents.expressions import Scope, environment, faults_of
from enforcement.documents.kinds import ENTRY_NAMES, LISTS, Documents
from enforcement.documents.package import Package, W, read_package

_TAG = re.compile(r"\{\{(?P<value>.*?)\}\}|\{%(?P<step>.*?)%\}|\{#.*?#\}", re.S)
_PREFIX = re.compile(r"(?:tr|tc|p|r) ")
_FOR = re.compile(r"for\s+(\w+)\s+in\s+(\w+)\s*$")
_PLAIN_STEPS = ("else", "endif", "endfor", "vm", "hm")
_WIDE = re.compile(r"｛\s*｛|｝\s*｝|｛\s*%|%\s*｝")
_SHOWN = 40  # characters of a paragraph that are shown as its place
MAX_LOOPS = 40


@dataclass(frozen=True)
class Place:
    """Where something is in a template.

    Attributes:
        part: body, header, footer, note.
        paragraph: number of the paragraph in the part, from 1, tables left out; 0: in a table.
        table, row, cell: numbers from 1; 0: not in a table.
        words: text of the paragraph, shortened.
    """

    part: str
    paragraph: int = 0
    table: int = 0
    row: int = 0
    cell: int = 0
    words: str = ""

    def describe(self, language: str) -> str:
        """Return the place in words."""
        chinese = language == "zh"
        part = {
            "body": "正文" if chinese else "body",
            "header": "页眉" if chinese else "header",
            "footer": "页脚" if chinese else "footer",
            "note": "脚注" if chinese else "footnotes",
        }[self.part]
        if self.table and chinese:
            where = f"第{self.table}个表格第{self.row}行第{self.cell}格"
        elif self.table:
            where = f"table {self.table}, row {self.row}, cell {self.cell}"
        else:
            where = f"第{self.paragraph}段" if chinese else f"paragraph {self.paragraph}"
        return f"{part}{where}“{self.words}”" if chinese else f"{part}, {where}, “{self.words}”"


@dataclass(frozen=True)
class Finding:
    """What the check found.

    Attributes:
        code: unknown_field, unfinished, not_allowed, syntax, wide_braces; and, which refuse nothing, no_page_number,
            no_number_field, fonts.
        what: the field, expression or fonts.
        place: where; None: the whole template.
    """

    code: str
    what: str = ""
    place: Place | None = None

    @property
    def refuses(self) -> bool:
        """Whether a template with this finding is not used."""
        return self.code not in ("no_page_number", "no_number_field", "fonts")

    def describe(self, language: str) -> str:
        """Return the finding in words."""
        words = _WORDS[self.code][language == "en"].format(what=self.what)
        colon = "：" if language == "zh" else ": "
        return words if self.place is None else f"{self.place.describe(language)}{colon}{words}"


_WORDS = {
    "unknown_field": ("没有“{what}”这个字段", "there is no field “{what}”"),
    "unfinished": ("标记没有写完整：{what}", "a tag is not complete: {what}"),
    "not_allowed": ("不允许使用：{what}", "not allowed: {what}"),
    "syntax": ("标记有误：{what}", "a tag is wrong: {what}"),
    "wide_braces": ("花括号应为半角：{what}", "the braces have to be half-width: {what}"),
    "no_page_number": ("没有页码", "it has no page numbers"),
    "no_number_field": ("没有文号字段", "it has no field for the document number"),
    "fonts": ("服务器没有字体，预览以其他字体代替：{what}", "the server lacks fonts, the preview uses others: {what}"),
}


def check_template(content: bytes, settings: Documents) -> list[Finding]:
    """Return what is to be said about a template that can be used: no page numbers, no field for the number.

    Args:
        content: the Word file.
        settings: the known fields.

    Raises:
        TemplateRefusedError: the file is refused (:func:`enforcement.documents.package.read_package`), or a tag is
            wrong; the message says which ones and where.
    """
    package = read_package(content)
    findings = list(_tag_findings(package, settings))
    if any(finding.refuses for finding in findings):
        raise refusal([finding for finding in findings if finding.refuses])
    return findings + _remarks(package, settings)


def refusal(findings: Sequence[Finding]) -> TemplateRefusedError:
    """Return the error that names the findings."""
    shown = findings[:12]
    more = len(findings) - len(shown)
    english = "; ".join(each.describe("en") for each in shown) + (f"; and {more} more" if more else "")
    chinese = "；".join(each.describe("zh") for each in shown) + (f"；另有 {more} 处" if more else "")
    error = TemplateRefusedError(f"The template is not used: {english}.", "documents.template_wrong", findings=chinese)
    error.findings = tuple(findings)
    return error


def known_names(settings: Documents) -> frozenset[str]:
    """Return all names that a template may use: English and Chinese ones, and those of masked values."""
    names = settings.chinese_names()
    masked = [field.masked for field in settings.fields.values() if field.masked]
    return frozenset([*names, *names.values(), *masked])


def list_names(settings: Documents) -> frozenset[str]:
    """Return the names of values that are lists."""
    names = settings.chinese_names()
    lists = [*LISTS, *(name for name, field in settings.fields.items() if field.kind == "lines")]
    return frozenset([*lists, *(names[name] for name in lists)])


def fonts_used(package: Package) -> list[str]:
    """Return the names of the fonts that the text uses."""
    attributes = [f"{W}{script}" for script in ("ascii", "hAnsi", "eastAsia")]
    roots = [package.body, *package.headers, *package.footers]
    if package.styles is not None:
        default = package.styles.find(f"{W}docDefaults")
        roots += [] if default is None else [default]
        roots += [style for style in package.styles.iter(f"{W}style") if style.get(f"{W}default") == "1"]
    found = [fonts.get(name) for root in roots for fonts in root.iter(f"{W}rFonts") for name in attributes]
    return sorted({str(name) for name in found if name})


def paragraphs(package: Package) -> Iterator[tuple[Place, str]]:
    """Yield the text of every paragraph with its place."""
    parts = [("body", package.body), *(("header", root) for root in package.headers)]
    parts += [("footer", root) for root in package.footers] + [("note", root) for root in package.notes]
    for part, root in parts:
        number, tables = 0, list(root.iter(f"{W}tbl"))
        for element in root.iter(f"{W}p"):
            words = "".join(text.text or "" for text in element.iter(f"{W}t"))
            short = words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"
            cell = next(element.iterancestors(f"{W}tc"), None)
            if cell is None:
                number += 1
                yield Place(part, paragraph=number, words=short), words
            else:
                row = next(cell.iterancestors(f"{W}tr"))
                table = next(row.iterancestors(f"{W}tbl"))
                place = (tables.index(table) + 1, _number_of(row, f"{W}tr", table), _number_of(cell, f"{W}tc", row))
                yield Place(part, 0, *place, words=short), words


def _number_of(element: etree._Element, tag: str, parent: etree._Element) -> int:
    return [each for each in parent.iter(tag) if next(each.iterancestors(parent.tag)) is parent].index(element) + 1


def _tag_findings(package: Package, settings: Documents) -> Iterator[Finding]:
    lists, loops, texts = list_names(settings), 0, list(paragraphs(package))
    entries = frozenset(
        found[1]
        for _, words in texts
        for tag in _TAG.finditer(words)
        if tag["step"] and (found := _FOR.match(_expression(tag["step"]))) and found[2] in lists
    )
    scope = Scope(known_names(settings), lists, entries, frozenset([*ENTRY_NAMES, *ENTRY_NAMES.values()]))
    for place, words in texts:
        if found := _WIDE.search(words):
            yield Finding("wide_braces", found[0], place)
        rest = _TAG.sub("", words)
        if left := re.search(r"\{\{|\{%|%\}|\}\}", rest):
            yield Finding("unfinished", rest[max(0, left.start() - 10) : left.end() + 20], place)
        for tag in _TAG.finditer(words):
            if tag["value"] is not None:
                yield from _expression_findings(_expression(tag["value"]), scope, place)
            elif tag["step"] is not None:
                step = _expression(tag["step"])
                loops += step.startswith("for")
                yield from _step_findings(step, scope, place)
    if loops > MAX_LOOPS:
        yield Finding("not_allowed", f"{loops} × for")
    if re.search(r"\{\{|\{%", package.properties):
        yield Finding("not_allowed", "docProps")


def _expression(raw: str) -> str:
    words = raw[3 if raw.startswith(("tr ", "tc ")) else 2 :] if _PREFIX.match(raw) else raw
    return words.strip().strip("-").strip().translate(str.maketrans("“”‘’", "\"\"''"))


def _step_findings(step: str, scope: Scope, place: Place) -> Iterator[Finding]:
    word, _, rest = step.partition(" ")
    if step in _PLAIN_STEPS:
        return
    if word in ("if", "elif") and rest.strip():
        yield from _expression_findings(rest.strip(), scope, place)
    elif found := _FOR.match(step):
        if found[2] not in scope.names:
            yield Finding("unknown_field", found[2], place)
        elif found[2] not in scope.lists:
            yield Finding("not_allowed", step, place)
    else:
        yield Finding("not_allowed", step[:_SHOWN], place)


def _expression_findings(expression: str, scope: Scope, place: Place) -> Iterator[Finding]:
    try:
        tree = environment().parse(f"{{{{ {expression} }}}}")
    except TemplateSyntaxError:
        yield Finding("syntax", expression[:_SHOWN], place)
        return
    if not any(isinstance(node, nodes.Expr) for node in tree.find_all(nodes.Expr)):
        yield Finding("syntax", expression[:_SHOWN], place)
    for code, what in faults_of(tree, scope):
        yield Finding(code, what[:_SHOWN], place)


def _remarks(package: Package, settings: Documents) -> list[Finding]:
    findings = []
    paged = [root for root in (*package.headers, *package.footers) if _has_page_field(root)]
    if not paged:
        findings.append(Finding("no_page_number"))
    names = {"number", settings.chinese_names()["number"]}
    tags = [_expression(tag["value"] or "") for _, words in paragraphs(package) for tag in _TAG.finditer(words)]
    if not names & set(tags):
        findings.append(Finding("no_number_field"))
    return findings


def _has_page_field(root: etree._Element) -> bool:
    words = [str(element.get(f"{W}instr", "")) for element in root.iter(f"{W}fldSimple")]
    words.append("".join(element.text or "" for element in root.iter(f"{W}instrText")))
    return any(re.search(r"\bPAGE\b", text) for text in words)
