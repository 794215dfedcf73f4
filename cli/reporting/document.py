"""``tuban document``: write a document of an alert as a Word file, and as PDF where LibreOffice is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.administration.service import open_service
from cli.language import say
from errors import SettingsError
from service.documents.on_demand import document_files

Kind = Annotated[str, typer.Argument(help="Kind of document: stop_notice, correction_order …, or its Chinese name.")]
Alert = Annotated[str, typer.Argument(help="Number of the alert.")]
Out = Annotated[Path, typer.Option("--out", help="Folder of the files; it is made.")]
Values = Annotated[list[str], typer.Option("--set", help="Value of a field, like 当事人=张三; may be repeated.")]


def document(kind: Kind, alert: Alert, out: Out, values: Values = []) -> None:  # noqa: B006  (as Typer expects it)
    """Write a document of an alert: the same files as on its page.

    An issued document is written as it was issued. Otherwise it is a draft without a number, from the draft on the page
    or with proposed words; nothing is stored. Without LibreOffice there is only the Word file. Kinds and fields are in
    configs/documents/documents.yaml; a template configs/documents/NAME.docx in the working directory replaces ours.

    Example: tuban document stop_notice 330106U2026110001 --out documents/

    Exit code: 0 written, 1 not allowed for this alert, 2 unknown alert or value, 5 the files cannot be written.
    """
    given = dict(_pair(words) for words in values)
    with open_service() as context:
        files = document_files(context, kind, alert, given)
    for path in files.write(out):
        print(path)
    console = Console(stderr=True)
    if files.pdf is None:
        console.print(say("LibreOffice is not installed: there is only the Word file.", "documents.no_converter"))
    if not files.number:
        console.print(say("It is a draft without a number; it is issued on its page.", "documents.is_draft"))


def _pair(words: str) -> tuple[str, str]:
    name, equals, value = words.partition("=")
    if not equals or not name.strip():
        raise SettingsError(
            f"{words[:40]!r} is no value of a field; expected NAME=VALUE.", "documents.no_pair", given=words[:40]
        )
    return name.strip(), value
