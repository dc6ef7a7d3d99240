"""Backends in the shape of django-generic-tasks, as a project writes them."""

from typing import Any

seen: list[Any] = []


class Inline:
    def run(self, task: Any) -> None:
        seen.append(task.params)
        task.run()


class Broken:
    def run(self, task: Any) -> None:
        raise OSError("no route")


class Misshapen:
    def go(self, task: Any) -> None:
        return None


class Demanding:
    def __init__(self, project: str) -> None:
        self.project = project

    def run(self, task: Any) -> None:
        return None


demanding = Demanding("p")
