"""Node's tools for the JavaScript client: its locked packages, and running what its scripts run."""

import fcntl
import os
import subprocess
from pathlib import Path

CLIENT = Path(__file__).resolve().parents[2] / "django_integration" / "client"
MODULES = CLIENT / "node_modules"


def install(folder: Path = CLIENT) -> Path:
    """Install a folder's locked packages unless they are, and return the folder of packages."""
    lock = folder / "package-lock.json"
    installed = folder / "node_modules" / ".package-lock.json"
    with lock.open() as handle:
        # Test processes that run side by side share the folder.
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    return installed.parent


def build() -> None:
    """Build the client unless its package is newer than its sources."""
    install()
    built = CLIENT / "dist/esm/react.js"
    newest = max(path.stat().st_mtime for path in (CLIENT / "src").iterdir())
    if not built.exists() or built.stat().st_mtime < newest:
        run("npm", "run", "build")


def run(*command: str | Path, cwd: Path = CLIENT, **environment: str) -> str:
    """Run a command and return what it printed; AssertionError with all of it when it fails."""
    words = [str(part) for part in command]
    env = {**os.environ, **environment}
    done = subprocess.run(words, check=False, cwd=cwd, env=env, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, f"{command} failed\n{done.stdout}\n{done.stderr}"
    return done.stdout
