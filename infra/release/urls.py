"""The page of a distribution at the index: a metadata hook of hatchling, which runs wherever the project is built.

The links of the page, and README's own, lead to the repository, whose address comes with the release.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# The workflow that publishes sets it. A build elsewhere knows no address of the repository, and names none.
REPOSITORY = "SERVERLESS_TASKS_REPOSITORY"
_RELATIVE = r"\((?![a-z]+:|#)([^)\s]+)\)"
_PICTURE = re.compile(rf"!\[([^\]]*)\]{_RELATIVE}(\n\n)?")
_LINK = re.compile(rf"(?<!!)\[([^\]]*)\]{_RELATIVE}")
_CODE = re.compile(r"(^```.*?^```$|^    .*?$)", re.DOTALL | re.MULTILINE)


class Urls(MetadataHookInterface):
    """Adds the description, and the links that follow from the address of the repository."""

    def update(self, metadata: dict[str, Any]) -> None:
        """See hatchling."""
        address = os.environ.get(REPOSITORY, "").rstrip("/")
        pages = {
            "Repository": "",
            "Documentation": "/tree/main/docs",
            "Changelog": "/blob/main/CHANGELOG.md",
            "Issues": "/issues",
            "Security": "/security/policy",
        }
        metadata["urls"] = {name: address + page for name, page in pages.items()} if address else {}
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": description(readme, address)}


def description(readme: str, address: str) -> str:
    """Return README as the index shows it, which knows no other file of the repository.

    Args:
        readme: the text. Its pictures and links may be relative.
        address: of the repository, or "": then there are no pictures, and what was a link is its text.
    """
    parts = _CODE.split(readme)
    for place in range(0, len(parts), 2):
        if address:
            pictures = _PICTURE.sub(rf"![\1]({address}/raw/main/\2)\3", parts[place])
            parts[place] = _LINK.sub(rf"[\1]({address}/blob/main/\2)", pictures)
        else:
            parts[place] = _LINK.sub(r"\1", _PICTURE.sub("", parts[place]))
    return "".join(parts)
