"""``tuban verify``: verify an evidence bundle offline."""

from __future__ import annotations

import json as json_text
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.exit_codes import ATTENTION, SUCCESS
from cli.language import in_language, say, term
from enforcement.evidence.bundle_check import BundleReport, verify_bundle
from enforcement.evidence.signing_key import parse_fingerprint

_MARK_CODES = {"ok": "cli.verify_ok", "WRONG": "cli.verify_wrong", "open": "cli.verify_open"}
_MARKS = {True: ("ok", "green"), False: ("WRONG", "red"), None: ("open", "yellow")}


def verify(
    bundle: Annotated[Path, typer.Argument(help="Evidence bundle (zip file).")],
    key: Annotated[
        str | None,
        typer.Option(help="Expected signer: the bureau's public key (PEM file) or its fingerprint."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Verify the signature, files and log of an evidence bundle: nothing changed, missing or added.

    Without --key any signer is accepted and its fingerprint printed: compare it with the fingerprint that the bureau
    published, not with the one in the bundle. Nothing is unpacked. A valid signature proves who issued the bundle; its
    content remains a suspected change, to be checked on the ground.

    Example: tuban verify alert.zip --key bureau.pem

    Exit codes: 0 the bundle is intact, 1 a check failed, 2 the bundle or the key cannot be read.
    """
    report = verify_bundle(bundle, None if key is None else parse_fingerprint(key))
    if json:
        typer.echo(json_text.dumps({"good": report.good, **asdict(report)}, ensure_ascii=False, indent=1))
    else:
        _print_report(bundle, report)
    raise typer.Exit(SUCCESS if report.good else ATTENTION)


def _print_report(bundle: Path, report: BundleReport) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for check in report.checks:
        mark, style = _MARKS[check.good]
        words = f"{say(mark, _MARK_CODES[mark]):<6} {term('verify', check.name):<10} {in_language(check.words)}"
        console.print(words, style=style if check.good is not True else None)
    if not report.good:
        failed = ", ".join(term("verify", check.name) for check in report.checks if check.good is False)
        text = f"{bundle.name} is NOT as it was signed, or has another signer than expected. Failed checks: {failed}."
        console.print(say(text, "cli.verify_failed", name=bundle.name, failed=failed), style="red")
    elif report.trusted:
        text = f"{bundle.name}, alert {report.alert}, is intact and signed with the trusted key."
        console.print(say(text, "cli.verify_trusted", name=bundle.name, alert=report.alert))
    else:
        text = f"{bundle.name}, alert {report.alert}, is intact. Give the expected key with --key to verify the signer."
        console.print(say(text, "cli.verify_intact", name=bundle.name, alert=report.alert))
