"""Found without being named anywhere."""

from pydantic import BaseModel

from serverless_tasks import Task


class Later(Task):
    name = "later"

    def run(self):
        return None


class ResizeParams(BaseModel):
    percent: int


class ResizeLater(Task[ResizeParams]):
    """Resizes when there is time."""

    name = "later.resize"

    def run(self) -> None:
        return None
