"""What SERVERLESS_TASKS["MODULES"] names in a test."""

from serverless_tasks import Task


class Configured(Task):
    name = "configured"

    def run(self):
        return None
