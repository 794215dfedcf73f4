"""Convert Word documents into PDF by LibreOffice, where it is installed (``libreoffice-writer-nogui``).

Each conversion has its own profile folder and a time limit. Fonts are those of the system and of the packages that the
typeset documents use; a font that is not there is replaced by one of the same style.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from enforcement.documents.errors import ConversionError
from enforcement.typesetting.errors import FontsMissingError
from enforcement.typesetting.fonts import font_folders

TIME_LIMIT_SECONDS = 90.0

SERIF, SANS = "Noto Serif SC", "Noto Sans SC"
"""Substitutes of one weight each; LibreOffice writes a variable font in its thinnest weight."""

_PROGRAMS = ("soffice", "libreoffice")
_SERIF_NAMES = (
    *("仿宋", "FangSong", "仿宋_GB2312", "FangSong_GB2312", "宋体", "SimSun", "NSimSun", "STSong", "STFangsong"),
    *("方正小标宋简体", "方正小标宋_GBK", "FZXiaoBiaoSong-B05S", "方正仿宋_GBK"),
    *("楷体", "KaiTi", "楷体_GB2312", "STKaiti"),
)
_SANS_NAMES = ("黑体", "SimHei", "方正黑体_GBK", "微软雅黑", "Microsoft YaHei", "等线", "DengXian")


_ARTIFICIAL_BOLD = (
    '<match target="font"><test name="weight" compare="less_eq"><const>medium</const></test>'
    '<test target="pattern" name="weight" compare="more_eq"><const>bold</const></test>'
    '<edit name="embolden" mode="assign"><bool>true</bool></edit></match>'
)


def converter() -> str | None:
    """Return the path of the converter; None: it is not installed."""
    return next((found for name in _PROGRAMS if (found := shutil.which(name))), None)


def convert_to_pdf(docx: bytes, *, seconds: float = TIME_LIMIT_SECONDS) -> bytes:
    """Convert a Word document.

    Raises:
        ConversionError: there is no converter, it failed, or it took longer than ``seconds``.
    """
    program = converter()
    if program is None:
        raise ConversionError("LibreOffice is not installed: there is only the Word file.", "documents.no_converter")
    with tempfile.TemporaryDirectory(prefix="tuban-pdf-") as name:
        folder = Path(name)
        source = folder / "document.docx"
        source.write_bytes(docx)
        _run(program, folder, source, seconds)
        target = folder / "document.pdf"
        content = target.read_bytes() if target.exists() else b""
    if not content.startswith(b"%PDF-"):
        raise ConversionError("LibreOffice could not convert the document.", "documents.conversion_failed")
    return content


def _run(program: str, folder: Path, source: Path, seconds: float) -> None:
    profile = folder / "profile"
    command = [
        program,
        "--headless",
        "--norestore",
        "--nolockcheck",
        "--nodefault",
        "--nofirststartwizard",
        f"-env:UserInstallation={profile.as_uri()}",
        "--convert-to",
        "pdf:writer_pdf_Export",
        "--outdir",
        str(folder),
        str(source),
    ]
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "FONTCONFIG_FILE": str(_font_settings(folder)),
        "SAL_USE_VCLPLUGIN": "svp",
    }
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ConversionError(
                f"LibreOffice did not finish within {seconds:.0f} seconds.",
                "documents.conversion_slow",
                seconds=f"{seconds:.0f}",
            ) from None
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _font_settings(folder: Path) -> Path:
    """Write the settings of fontconfig: folders of fonts, and substitutes for the fonts of official documents."""
    folders = ["/usr/share/fonts", "/usr/local/share/fonts"]
    with contextlib.suppress(FontsMissingError):
        folders += [str(each) for each in font_folders() if not any(each.glob("*-VF*"))]
    aliases = "".join(
        f'<alias binding="same"><family>{name}</family><prefer><family>{instead}</family></prefer></alias>'
        for names, instead in ((_SERIF_NAMES, SERIF), (_SANS_NAMES, SANS))
        for name in names
    )
    path = folder / "fonts.conf"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        + "".join(f"<dir>{each}</dir>" for each in folders)
        + _ARTIFICIAL_BOLD
        + f"<cachedir>{folder / 'fonts'}</cachedir>{aliases}</fontconfig>",
        "utf-8",
    )
    return path


def missing_fonts(names: list[str]) -> list[str]:
    """Return those of a template's fonts that this machine lacks, so that the preview shows others."""
    families = _families()
    return [name for name in names if name.lower() not in families]


@cache
def _families() -> frozenset[str]:
    """Return the families of this machine's fonts, in lower case; read once in a process."""
    lister = shutil.which("fc-list")
    if lister is None:
        return frozenset()
    with tempfile.TemporaryDirectory(prefix="tuban-fonts-") as folder:
        environment = {"PATH": os.environ.get("PATH", ""), "FONTCONFIG_FILE": str(_font_settings(Path(folder)))}
        try:
            listed = subprocess.run(
                [lister, ":", "family"], env=environment, capture_output=True, timeout=60, check=False, text=True
            )
        except (subprocess.TimeoutExpired, OSError):
            return frozenset()
    return frozenset(family.strip().lower() for line in listed.stdout.splitlines() for family in line.split(","))
