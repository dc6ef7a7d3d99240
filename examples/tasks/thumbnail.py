"""Pydantic style: a thumbnail of a picture. It needs Pillow."""

import io
from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, Field, field_validator

from serverless_tasks import Task, TaskError

LARGEST_FILE = 6_000_000
LARGEST_PICTURE = 50_000_000

Side = Annotated[int, Field(ge=16, le=1024)]


class ThumbnailParams(BaseModel):
    """A picture, and how large its thumbnail may be (in pixels)."""

    image: Base64Bytes
    width: Side = 320
    height: Side = 320
    format: Literal["webp", "jpeg", "png"] = "webp"

    @field_validator("image")
    @classmethod
    def _not_too_large(cls, image: bytes) -> bytes:
        if len(image) > LARGEST_FILE:
            raise ValueError(f"the file has {len(image):,} bytes; the limit is {LARGEST_FILE:,}")
        return image


class Thumbnail(BaseModel):
    """The thumbnail, and what became of the picture's size."""

    image: Base64Bytes
    media_type: str
    width: int
    height: int
    size: int
    original_width: int
    original_height: int
    original_size: int


class MakeThumbnail(Task[ThumbnailParams]):
    """Turn a picture upright and make it fit into a box; it is never enlarged."""

    name = "make-thumbnail"
    timeout = 30

    def run(self) -> Thumbnail:
        # Pillow takes a while to load: not at every cold start, only where it is used.
        from PIL import Image, ImageOps

        self.set_target(3)
        try:
            with Image.open(io.BytesIO(self.params.image)) as opened:
                width, height = opened.size
                if width * height > LARGEST_PICTURE:
                    most = LARGEST_PICTURE // 1_000_000
                    raise TaskError(
                        f"The picture has {width} x {height} pixels; at most {most} million are taken."
                    )
                self.add_message(f"Read a {opened.format} picture of {width} x {height} pixels.")
                picture = ImageOps.exif_transpose(opened).convert(
                    "RGB" if self.params.format == "jpeg" else "RGBA"
                )
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise TaskError("The file is not a picture that can be read, or it is damaged.") from error
        self.inc_progress()
        picture.thumbnail((self.params.width, self.params.height), Image.Resampling.LANCZOS)
        self.inc_progress()
        written = io.BytesIO()
        picture.save(written, self.params.format)
        self.inc_progress()
        data = written.getvalue()
        return Thumbnail.model_construct(
            image=data,
            media_type=f"image/{self.params.format}",
            width=picture.width,
            height=picture.height,
            size=len(data),
            original_width=width,
            original_height=height,
            original_size=len(self.params.image),
        )
