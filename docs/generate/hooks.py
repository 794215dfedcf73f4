"""MkDocs hooks: generated pages, included files, interface texts and the architecture diagram."""

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
from check_site import external_requests
from command_page import commands_markdown
from http_api_page import http_api_markdown, openapi_document
from interface_words import UnknownPlaceholderError, fill_placeholders
from links import INCLUDED, outside_fences, reference_page, rewrite_links
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebook_pages import notebook_pages
from reference_pages import documented_rooms, navigation, reference_markdown, rooms_table
from rooms import ROOT

logger = logging.getLogger("mkdocs.hooks.tuban")

_GENERATED_ENTRIES: dict[str, Callable[[], list[Any]]] = {
    "Rooms and modules": navigation,
    "Notebooks": lambda: ["notebooks/index.md", *notebook_pages()],
}
"""Navigation entry → function that returns its pages."""

_CHINESE_LINE_BREAK = re.compile(r"(?<=[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef\]])\n(?=[\u4e00-\u9fff\uff08\u201c\[])")
"""Line break within Chinese text, which browsers would render as a space."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add rooms and notebooks to the navigation."""
    sys.path[:0] = [folder for folder in _FOLDERS if folder not in sys.path]  # MkDocs removes them after loading
    config.nav = _with_generated_entries(config.nav)
    return config


def _with_generated_entries(entries: Any) -> Any:
    if isinstance(entries, list):
        return [_with_generated_entries(entry) for entry in entries]
    if isinstance(entries, dict):
        return {
            name: _GENERATED_ENTRIES[name]() if name in _GENERATED_ENTRIES else _with_generated_entries(value)
            for name, value in entries.items()
        }
    return entries


def on_pre_build(config: MkDocsConfig) -> None:
    """Update the architecture diagram."""
    draw_architecture.write(Path(config.docs_dir) / "architecture.svg")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are generated from other files of the repository."""
    texts = {page: rewrite_links((ROOT / source).read_text("utf-8"), source, page) for page, source in INCLUDED.items()}
    texts |= {reference_page(room.name): reference_markdown(room) for room in documented_rooms()}
    texts["reference/http-api.md"] = http_api_markdown()
    texts["reference/openapi.json"] = json.dumps(openapi_document(), ensure_ascii=False, indent=1)
    texts["reference/commands.md"] = commands_markdown()
    settings = (ROOT / "configs" / "service.yaml").read_text("utf-8")
    texts |= notebook_pages()
    texts["settings.md"] = f"# Settings of the service\n\n```yaml\n{settings}```\n"
    for page, text in texts.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace placeholders for interface texts, the diagram and the table of rooms; rewrite links."""
    if page.file.generated_by:
        return markdown
    if _is_chinese(page):
        markdown = outside_fences(markdown, lambda part: _CHINESE_LINE_BREAK.sub("", part))
    try:
        markdown = fill_placeholders(markdown, "zh" if _is_chinese(page) else "en")
    except UnknownPlaceholderError as error:
        logger.warning("%s: %s", page.file.src_uri, error)
    if "<!-- rooms -->" in markdown:
        markdown = markdown.replace("<!-- rooms -->", rooms_table())
        svg = re.sub(r"\n+", "\n", draw_architecture.draw())
        markdown = markdown.replace("<!-- architecture -->", f'<div class="picture">\n{svg}</div>\n')
    return rewrite_links(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Set the language of Chinese pages, by which browsers choose fonts and voices."""
    return output.replace('<html lang="en"', '<html lang="zh-CN"', 1) if _is_chinese(page) else output


def on_post_build(config: MkDocsConfig) -> None:
    """Remove addresses of other hosts from the theme's scripts, then check the site for others.

    The scripts would use them for diagrams, which no page has, and in browsers older than 2020.
    """
    for path in (Path(config.site_dir) / "assets" / "javascripts").glob("bundle.*"):
        if path.suffix == ".map":
            path.unlink()
        else:
            text = re.sub(r"//# sourceMappingURL=.*", "", path.read_text("utf-8"))
            path.write_text(text.replace("https://unpkg.com/", "/not-here/"), "utf-8")
    if requests := external_requests(Path(config.site_dir)):
        raise PluginError("The site loads from other hosts: " + "; ".join(requests))


def _is_chinese(page: Page) -> bool:
    return page.file.src_uri.endswith(".zh.md")
