"""What is released, built once and installed in environments of its own; and the project of README's quick start."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UV = shutil.which("uv", path=str(ROOT / ".venvs/uv/bin")) or shutil.which("uv")


def run(
    *command: str | Path,
    cwd: Path,
    status: int = 0,
    environment: Mapping[str, str] | None = None,
    timeout: float = 300,
) -> str:
    """What a command printed on both streams; AssertionError with it when it ends with another status."""
    words = [str(part) for part in command]
    done = subprocess.run(
        words,
        check=False,
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
    )
    assert done.returncode == status, f"{words} ended with {done.returncode}\n{done.stdout}"
    return done.stdout


def build(kind: str, folder: Path) -> Path:
    """The ``wheel`` or the ``sdist``, as it would be released."""
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder, cwd=ROOT)
    (built,) = (path for path in folder.iterdir() if path.name.endswith((".whl", ".tar.gz")))
    return built


def installed(folder: Path, what: str, *, django: str | None = None) -> Path:
    """Make an environment in which a release is installed, with the versions that are tested.

    Args:
        folder: where.
        what: a distribution's path, and its extras in brackets.
        django: a version of ``requirements/django-*.txt``; by default that of ``requirements/dev.txt``.

    Returns:
        Its folder of commands.
    """
    assert UV is not None
    run(UV, "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    pins = _pins(ROOT / "requirements/dev.txt")
    if django is not None:
        pins |= _pins(ROOT / f"requirements/django-{django}.txt")
    (folder / "pins.txt").write_text("\n".join(pins.values()))
    run(UV, "pip", "install", "--quiet", "--python", python, "-c", folder / "pins.txt", what, cwd=folder)
    return python.parent


def _pins(path: Path) -> dict[str, str]:
    lines = [line.split(" \\")[0] for line in path.read_text().splitlines() if line and line[0] not in " #"]
    return {line.partition("==")[0]: line for line in lines}


def quick_start(folder: Path, commands: Path, *, settings: str = "") -> Path:
    """Make the project of README's quick start, with its code word for word.

    Args:
        folder: where.
        commands: an environment's folder of commands, which has Django.
        settings: what its settings have besides.

    Returns:
        Its directory.
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    start = readme.partition("## Quick start")[2].partition("\n## ")[0]
    task, given, urls = re.findall(r"```python\n(.*?)```", start, re.DOTALL)[:3]
    run(commands / "django-admin", "startproject", "website", cwd=folder)
    project = folder / "website"
    (project / "shop").mkdir()
    (project / "shop/__init__.py").touch()
    (project / "shop/background.py").write_text(task)
    for name, text in (("settings.py", f"{given}\n{settings}"), ("urls.py", urls)):
        with (project / "website" / name).open("a") as file:
            file.write(f"\n{text}\n")
    return project
