"""What several tests of the release look at is built once."""

from pathlib import Path

import pytest

from infra.release import dist
from tests.support import release


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sdist and the wheel that would be released."""
    folder = tmp_path_factory.mktemp("dist")
    dist.build_python(folder)
    return folder


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    (built,) = distributions.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def sdist(distributions: Path) -> Path:
    (built,) = distributions.glob("*.tar.gz")
    return built


@pytest.fixture(scope="session")
def uv() -> str:
    """The installer of the environments."""
    if release.UV is None:
        pytest.skip("uv is lacking: `make setup` installs it")
    return release.UV
