"""Tasks that a project would not get far with."""

from threading import Thread

from serverless_tasks import Task
from serverless_tasks.params import NumberParameter
from tests.django.shop.background import Box


class OtherSum(Task):
    name = "sum"

    def run(self):
        return 0


class ForgetsAnInput(Task):
    name = "forgetful"
    inputs = {"number": NumberParameter()}

    def run(self):
        return 0


class ForgetsRun(Task):
    name = "forgets-run"


class GivesAThread(Task[Box]):
    """Its output has no form in JSON."""

    name = "gives-a-thread"

    def run(self) -> Thread:
        return Thread()


class MonthlyReport(Task[Box]):
    name = "reports/monthly"

    def run(self) -> None:
        return None


class MonthlyReportInside(MonthlyReport):
    name = "reports/inside"
    http = False
