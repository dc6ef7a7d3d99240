"""Tasks that a project would not get far with."""

from serverless_tasks import Task
from serverless_tasks.params import NumberParameter


class OtherSum(Task):
    name = "sum"

    def run(self):
        return 0


class ForgetsAnInput(Task):
    name = "forgetful"
    inputs = {"number": NumberParameter()}

    def run(self):
        return 0
