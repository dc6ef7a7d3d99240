"""The JavaScript client: what is committed is what the source builds, and it is typed.

The package itself: django_integration/client/tests/package.test.mjs.
"""

import shutil
from pathlib import Path

import pytest

from tests.browser import npm

COMMITTED = npm.CLIENT.parent / "static" / "django-task-api.min.js"

CONSUMER = """
import tasks, { run, watch, cancel, members, options, HTTPError } from 'serverless-tasks-client'
import type { MembersPage, TaskRecord } from 'serverless-tasks-client'
options.pollInterval = 500
async function example(): Promise<number> {
  const seen = ({ progress }: TaskRecord<{ sum: number }>): number => progress
  const record = await tasks.run<{ sum: number }>('sum', { numbers: [1, 2] }, seen)
  await watch(record.uuid, null, (last) => void last.outputs, (reason) => {
    if (reason instanceof HTTPError) void reason.status.toFixed()
  })
  await cancel(record.uuid)
  const group: string | undefined = record.group
  const counted: number = record.members?.failed ?? 0
  const query = { status: 'failed', limit: counted } as const
  const page: MembersPage<{ sum: number }> = await members<{ sum: number }>(record.uuid, query)
  await members(group ?? record.uuid, { cursor: page.next })
  void page.members.map(({ index, outputs }) => index + outputs.sum)
  // @ts-expect-error members that have not ended are not counted apart
  void members(record.uuid, { status: 'pending' })
  // @ts-expect-error a task is named by a string
  void run(1)
  return record.outputs.sum
}
void example
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    npm.install()
    out = tmp_path_factory.mktemp("client")
    npm.run("node", "build.mjs", "--out", out)
    return out


@pytest.fixture(scope="module")
def project(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has the built package among its modules."""
    folder = tmp_path_factory.mktemp("project")
    package = folder / "node_modules" / "serverless-tasks-client"
    shutil.copytree(built / "dist", package / "dist")
    shutil.copy(npm.CLIENT / "package.json", package)
    return folder


def test_committed_file_is_what_the_source_builds(built: Path) -> None:
    fresh = (built / "static" / COMMITTED.name).read_bytes()
    assert COMMITTED.read_bytes() == fresh, (
        "run `npm ci && npm run build` in django_integration/client and commit"
    )


def test_the_lock_names_no_registry() -> None:
    lock = (npm.CLIENT / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert "http:" not in lock


@pytest.mark.parametrize("suffix", ["mts", "cts"])
def test_package_is_typed_for_both_module_systems(project: Path, suffix: str) -> None:
    source = CONSUMER
    if suffix == "cts":
        source = CONSUMER.replace("import tasks, {", "import {").replace("tasks.run<", "run<")
    consumer = project / f"consumer.{suffix}"
    consumer.write_text(source)
    tsc = npm.MODULES / ".bin" / "tsc"
    npm.run(
        tsc,
        "--noEmit",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "nodenext",
        "--types",
        "",
        consumer,
        cwd=project,
    )
