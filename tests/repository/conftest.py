"""What several tests of the release look at is built once."""

from pathlib import Path

import pytest

from tests.support import release


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that would be released."""
    return release.build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def uv() -> str:
    """The installer of the environments."""
    if release.UV is None:
        pytest.skip("uv is lacking: `make setup` installs it")
    return release.UV
