"""Hooks of MkDocs: what pages link to outside of docs/ is in the site as well, and the links lead there.

README, CHANGELOG and others stand at the top of the repository, where readers of its files look for them. The site has
them under project/, and the files that pages of docs/ name, such as the examples of CI, beside them.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = "project"
# Warnings of MkDocs' own loggers fail a strict build.
logger: Final = logging.getLogger("mkdocs.hooks.pages")
PAGES: Final = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_LINK: Final = re.compile(r"\[([^\]]*)\]\((?![a-z]+:|#)([^)#\s]*)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages at the top of the repository, and the files that pages name."""
    named = {
        target
        for file in files.documentation_pages()
        for _, link, _ in _LINK.findall(file.content_string)
        if (target := _target(f"docs/{file.src_uri}", link)) and (ROOT / target).is_file()
    }
    for name in sorted(named | set(PAGES)):
        files.append(
            File.generated(config, f"{FOLDER}/{name}", content=(ROOT / name).read_text(encoding="utf-8"))
        )
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links out of docs/ to those files, and links of those pages to where the site has their targets."""
    here = page.file.src_uri
    at_the_top = here.startswith(f"{FOLDER}/")
    source = here.removeprefix(f"{FOLDER}/") if at_the_top else f"docs/{here}"

    def turned(link: re.Match[str]) -> str:
        text, target, anchor = (
            link[1],
            posixpath.normpath(posixpath.join(posixpath.dirname(source), link[2])),
            link[3],
        )
        if not link[2] or (not at_the_top and target.startswith("docs/")):
            return link[0]
        place = target.removeprefix("docs/") if target.startswith("docs/") else f"{FOLDER}/{target}"
        if files.get_file_from_path(place) is None:
            return text if (ROOT / target).exists() else link[0]  # a folder, which the site has not
        return f"[{text}]({posixpath.relpath(place, posixpath.dirname(here) or '.')}{anchor or ''})"

    return _LINK.sub(turned, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Warn of a fence that was taken for prose."""
    if "<p>```" in html:
        logger.warning("%s: a fenced block is not understood, for its first line", page.file.src_uri)
    return html


def _target(source: str, link: str) -> str:
    """Return the path of a link's target in the repository, or "" if it is within docs/."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    return "" if not link or target.startswith("docs") else target
