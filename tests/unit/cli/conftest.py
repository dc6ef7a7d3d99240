"""What the tests of the command line share."""

import functools
from importlib import metadata

import pytest

# Reading what is installed takes half a second, and it stays the same.
_distributions = functools.cache(metadata.packages_distributions)


@pytest.fixture(autouse=True)
def distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read what is installed once."""
    monkeypatch.setattr(metadata, "packages_distributions", _distributions)
