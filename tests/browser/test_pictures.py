"""The script of README's pictures takes them, of the size and with the contents that they are to have."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from infra.site.pictures import ADMIN_WIDTH, HEIGHT, PICTURES, SCALE, WIDTH
from infra.site.screenshots import MOST, NAMES

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
# What the terminal's text and the pages' parts differ in; a page that has not loaded has two or three.
LEAST_COLOURS = 30


def test_it_takes_each_picture(tmp_path: Path) -> None:
    if not any(map(shutil.which, NAMES)):
        pytest.skip("no Chromium on this machine")

    command = [sys.executable, "-m", "infra.site.pictures", "--folder", tmp_path]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == set(PICTURES)
    for name in PICTURES:
        path = tmp_path / name
        assert path.stat().st_size <= MOST
        with Image.open(path) as picture:
            width, height = picture.size
            colours = picture.convert("RGB").getcolors() or []
        assert width == SCALE * (ADMIN_WIDTH if name == "admin.png" else WIDTH)
        assert SCALE * HEIGHT / 2 < height <= SCALE * HEIGHT
        assert len(colours) > LEAST_COLOURS, name
        # Not a blank page, nor one that is all of a colour.
        assert max(count for count, _ in colours) < 0.97 * width * height, name
