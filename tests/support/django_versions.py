"""What an older Django lacks: the tests of it are skipped there, under CI too."""

import re
from collections.abc import Iterator
from pathlib import Path

import django
import pytest

# What the tests need that came with a version.
BROUGHT = {
    "6.0": "django.tasks and the content security policy",
    "6.1": "options of a backend's own for @task",
}
# A module that imports it, or a module of the site that does, cannot even be imported without it.
_IMPORTS = {
    "6.1": re.compile(
        r"^(from tests\.django import dispatched|from tests\.django\.dispatched)\b", re.MULTILINE
    ),
    "6.0": re.compile(r"^(from|import) (django\.tasks|tests\.django\.newsletter)\b", re.MULTILINE),
}


class SkippedModule(pytest.Module):
    """A module of tests that is not imported.

    Attributes:
        reason: why.
    """

    reason: str

    def collect(self) -> Iterator[pytest.Item]:
        pytest.skip(self.reason, allow_module_level=True)


def lacking(version: str) -> str | None:
    """Why a test that needs this version or a later one is skipped, or None where it is not."""
    number = tuple(int(part) for part in version.split("."))
    return f"needs Django {version}, which brought {BROUGHT[version]}" if number > django.VERSION else None


def is_reason(text: str) -> bool:
    """Return whether a test was skipped for this alone."""
    return any(text.removeprefix("Skipped: ") == lacking(version) for version in BROUGHT)


def module_too_new(path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Stand in for a module of tests that imports what this Django lacks."""
    text = path.read_text(encoding="utf-8")
    for version, imports in _IMPORTS.items():
        reason = lacking(version)
        if reason is not None and imports.search(text):
            module: SkippedModule = SkippedModule.from_parent(parent, path=path)
            module.reason = reason
            return module
    return None


def skip_marked(items: list[pytest.Item]) -> None:
    """Skip what ``@pytest.mark.django("6.0")`` marks in other modules."""
    for item in items:
        for marker in item.iter_markers("django"):
            if (reason := lacking(marker.args[0])) is not None:
                item.add_marker(pytest.mark.skip(reason=reason))
