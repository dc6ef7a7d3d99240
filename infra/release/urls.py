"""The links of a distribution's page: a metadata hook of hatchling, which runs wherever the project is built."""

from __future__ import annotations

import os
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# The workflow that publishes sets it. A build elsewhere knows no address of the repository, and names none.
REPOSITORY = "SERVERLESS_TASKS_REPOSITORY"


class Urls(MetadataHookInterface):
    """Adds the links that follow from the address of the repository."""

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
