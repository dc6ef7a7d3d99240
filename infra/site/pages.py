"""Hooks of MkDocs: pages from outside of docs/, and links that lead there.

CHANGELOG and the others stand at the top of the repository, where readers of its files look for them. The site has them
under project/, and links between them and the pages of docs/ are turned to where the other is in the site.
"""

from __future__ import annotations

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
PAGES: Final = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
# From a page of docs/, and from a page at the top.
_OUT: Final = re.compile(rf"\]\(\.\./({'|'.join(map(re.escape, PAGES))})(?=[)#])")
_IN: Final = re.compile(r"\]\(docs/")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand at the top of the repository."""
    for name in PAGES:
        text = _IN.sub("](../", (ROOT / name).read_text(encoding="utf-8"))
        files.append(File.generated(config, f"{FOLDER}/{name}", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of docs/ to those pages."""
    if page.file.src_uri.startswith(f"{FOLDER}/"):
        return markdown
    return _OUT.sub(rf"]({FOLDER}/\1", markdown)
