"""What MkDocs calls while it builds: generated pages, included files, words of the interface, the picture."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_FOLDERS = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
sys.path[:0] = _FOLDERS

import draw_architecture
from check_site import asked_elsewhere
from command_page import command_text
from http_api_page import http_api_text, openapi_document
from interface_words import UnknownWords, filled
from links import INCLUDED, outside_fences, reference_page, relinked
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebook_pages import notebook_pages
from reference_pages import described, navigation, reference_text, table_of_rooms
from rooms import ROOT

logger = logging.getLogger("mkdocs.hooks.tuban")

_FILLED: dict[str, Callable[[], list[Any]]] = {
    "Rooms and modules": navigation,
    "Notebooks": lambda: ["notebooks/index.md", *notebook_pages()],
}
"""Entries of the navigation that are filled here."""

_BROKEN_LINE = re.compile(r"(?<=[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef\]])\n(?=[\u4e00-\u9fff\uff08\u201c\[])")
"""Between two lines of Chinese, where browsers would show a space."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put rooms and notebooks into the navigation."""
    sys.path[:0] = [folder for folder in _FOLDERS if folder not in sys.path]  # MkDocs takes them away after loading
    config.nav = _filled_in(config.nav)
    return config


def _filled_in(entries: Any) -> Any:
    if isinstance(entries, list):
        return [_filled_in(entry) for entry in entries]
    if isinstance(entries, dict):
        return {name: _FILLED[name]() if name in _FILLED else _filled_in(value) for name, value in entries.items()}
    return entries


def on_pre_build(config: MkDocsConfig) -> None:
    """Draw the rooms as they are now."""
    draw_architecture.write(Path(config.docs_dir) / "architecture.svg")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from other files of the repository."""
    texts = {page: relinked((ROOT / source).read_text("utf-8"), source, page) for page, source in INCLUDED.items()}
    texts |= {reference_page(room.name): reference_text(room) for room in described()}
    texts["reference/http-api.md"] = http_api_text()
    texts["reference/openapi.json"] = json.dumps(openapi_document(), ensure_ascii=False, indent=1)
    texts["reference/commands.md"] = command_text()
    settings = (ROOT / "configs" / "service.yaml").read_text("utf-8")
    texts |= notebook_pages()
    texts["settings.md"] = f"# Settings of the service\n\n```yaml\n{settings}```\n"
    for page, text in texts.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what a page asks for: words of the interface, the picture and the table of the rooms."""
    if page.file.generated_by:
        return markdown
    if _is_chinese(page):
        markdown = outside_fences(markdown, lambda part: _BROKEN_LINE.sub("", part))
    try:
        markdown = filled(markdown, "zh" if _is_chinese(page) else "en")
    except UnknownWords as error:
        logger.warning("%s: %s", page.file.src_uri, error)
    if "<!-- rooms -->" in markdown:
        markdown = markdown.replace("<!-- rooms -->", table_of_rooms())
        picture = re.sub(r"\n+", "\n", draw_architecture.draw())
        markdown = markdown.replace("<!-- architecture -->", f'<div class="picture">\n{picture}</div>\n')
    return relinked(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Say in which language a page is: browsers choose fonts and voices by it."""
    return output.replace('<html lang="en"', '<html lang="zh-CN"', 1) if _is_chinese(page) else output


def on_post_build(config: MkDocsConfig) -> None:
    """Take the addresses of other hosts out of the theme's scripts.

    They stand there for diagrams, which no page has, and for browsers older than 2020.
    """
    for path in (Path(config.site_dir) / "assets" / "javascripts").glob("bundle.*"):
        if path.suffix == ".map":
            path.unlink()
        else:
            text = re.sub(r"//# sourceMappingURL=.*", "", path.read_text("utf-8"))
            path.write_text(text.replace("https://unpkg.com/", "/not-here/"), "utf-8")
    if elsewhere := asked_elsewhere(Path(config.site_dir)):
        raise PluginError("Other hosts are asked by: " + "; ".join(elsewhere))


def _is_chinese(page: Page) -> bool:
    return page.file.src_uri.endswith(".zh.md")
