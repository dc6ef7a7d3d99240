"""What holds for every test: under CI nothing is skipped."""

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import django_versions, moto_speed

moto_speed.install()


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return django_versions.module_too_new(module_path, parent)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    django_versions.skip_marked(items)


def pytest_collection_finish() -> None:
    """Look for garbage seldom, and never among what stays: a fifth of the time went into it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a failure of a skip under CI: a missing service there is a fault of the machine's set-up."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        if django_versions.is_reason(reason):
            return report
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped under CI: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself as it is imported."""
    report = yield
    if report.skipped and os.environ.get("CI") and not isinstance(collector, django_versions.SkippedModule):
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped under CI: {report.longrepr}"
    return report
