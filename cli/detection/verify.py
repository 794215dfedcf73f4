"""``tuban verify``: check an evidence bundle, without a server and without a network."""

from __future__ import annotations

import json as json_text
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from enforcement.evidence.bundle_check import BundleReport, verify_bundle
from enforcement.evidence.signing_key import fingerprint_given

_MARKS = {True: ("ok", "green"), False: ("WRONG", "red"), None: ("open", "yellow")}


def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle, a zip file.")],
    key: Annotated[
        str | None,
        typer.Option(help="Who must have signed it: the bureau's public key (PEM file) or its fingerprint."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")] = False,
) -> None:
    """Check that an evidence bundle is as it was signed: nothing changed, missing or added, the log unbroken.

    Without --key any signer is taken, and told: compare the fingerprint with one that you have from the bureau itself,
    not from the bundle. Nothing is unpacked. What the images show is an alert, to be checked on the ground; a signature
    does not make it more.

    Exit code 0: all is as it was signed. 1: something is wrong. 2: the bundle or the key cannot be read.
    """
    report = verify_bundle(bundle, None if key is None else fingerprint_given(key))
    if json:
        typer.echo(json_text.dumps({"good": report.good, **asdict(report)}, ensure_ascii=False, indent=1))
    else:
        _tell(bundle, report)
    raise typer.Exit(0 if report.good else 1)


def _tell(bundle: Path, report: BundleReport) -> None:
    words = Console(highlight=False, soft_wrap=True, markup=False)
    for check in report.checks:
        mark, style = _MARKS[check.good]
        words.print(f"{mark:<6} {check.name:<10} {check.words}", style=style if check.good is not True else None)
    if not report.good:
        wrong = ", ".join(check.name for check in report.checks if check.good is False)
        words.print(f"{bundle.name} is NOT as it was signed, or not by whom it should be: {wrong}.", style="red")
    elif report.trusted:
        words.print(f"{bundle.name}, alert {report.alert}, is as the holder of the trusted key signed it.")
    else:
        words.print(
            f"{bundle.name}, alert {report.alert}, is as it was signed. By whom is open: name the key with --key.",
        )
