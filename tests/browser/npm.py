"""Node's tools for the JavaScript client: its locked packages, and running what its scripts run."""

import fcntl
import subprocess
from pathlib import Path

CLIENT = Path(__file__).resolve().parents[2] / "django_integration" / "client"
MODULES = CLIENT / "node_modules"


def install() -> Path:
    """Install the client's locked packages unless they are, and return the folder of packages."""
    lock = CLIENT / "package-lock.json"
    installed = MODULES / ".package-lock.json"
    with lock.open() as handle:
        # Test processes that run side by side share the folder.
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    return MODULES


def run(*command: str | Path, cwd: Path = CLIENT) -> str:
    """Run a command and return what it printed; AssertionError with all of it when it fails."""
    words = [str(part) for part in command]
    done = subprocess.run(words, check=False, cwd=cwd, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, f"{command} failed\n{done.stdout}\n{done.stderr}"
    return done.stdout
