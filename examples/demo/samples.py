"""What the demo submits."""

import base64
import io
import math
from urllib.parse import quote

ROWS = 310_000


def weather(rows: int) -> str:
    """A CSV file of invented measurements, large enough that its progress can be seen.

    Args:
        rows: how many.
    """
    stations = ("Alder Point", "Birchwood", "Cedar Falls", "Dunmore", "Elm Harbour")
    lines = ["station,measured,temperature,humidity,remark"]
    for row in range(rows):
        temperature = 12 + 11 * math.sin(row / 58) + 3 * math.sin(row / 7)
        humidity = round(60 + 25 * math.cos(row / 41)) if row % 97 else ""
        remark = "" if row % 211 else "sensor replaced"
        day = f"2025-{row // 28 % 12 + 1:02}-{row % 28 + 1:02}"
        lines.append(f"{stations[row % 5]},{day},{temperature:.2f},{humidity},{remark}")
    return "\n".join(lines)


def picture() -> str:
    """A PNG picture, in base64."""
    from PIL import Image

    shades = Image.linear_gradient("L").resize((1600, 1000))
    coloured = Image.merge(
        "RGB", (shades, shades.rotate(180), shades.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    )
    written = io.BytesIO()
    coloured.save(written, "png")
    return base64.b64encode(written.getvalue()).decode()


def no_picture() -> str:
    """A file that only says that it is a picture, in base64."""
    return base64.b64encode(b"GIF89a, but nothing after it").decode()


def sales(shops: int) -> dict[str, str]:
    """The CSV files of invented sales of shops, by the shop's name.

    Args:
        shops: how many.
    """
    files = {}
    for shop in range(shops):
        lines = [f"article {sale},{2 + (shop * 7 + sale * 13) % 90}.50" for sale in range(20 + shop % 11)]
        files[f"shop {shop + 1}"] = "\n".join(["article,amount", *lines])
    return files


def rates() -> str:
    """A URL that holds three exchange rates."""
    return "data:text/plain," + quote("USD 1.0832\nGBP 0.8561\nJPY 163.4\n")


def broken_rates() -> str:
    """A URL that holds a rate which is none."""
    return "data:text/plain," + quote("USD 1.0832\nGBP unknown\n")
