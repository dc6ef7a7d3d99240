"""Found without being named anywhere."""

from serverless_tasks import Task


class Later(Task):
    name = "later"

    def run(self):
        return None
