"""The JavaScript client: what is committed is what the source builds, small, typed, and importable."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from tests.browser import npm

COMMITTED = npm.CLIENT.parent / "static" / "django-task-api.min.js"
MAX_GZIPPED = 3000  # bytes

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


def test_static_file_is_small() -> None:
    assert len(gzip.compress(COMMITTED.read_bytes(), 9)) <= MAX_GZIPPED


def test_package_has_no_runtime_dependencies_and_its_lock_names_no_registry() -> None:
    package = json.loads((npm.CLIENT / "package.json").read_text())
    assert "dependencies" not in package
    lock = (npm.CLIENT / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert "http:" not in lock


def test_types_check_and_unit_tests_pass() -> None:
    npm.install()
    npm.run("npm", "test", "--silent")


def test_package_is_imported_and_required(project: Path) -> None:
    show = "console.log(Object.keys(tasks).sort().join(), tasks.options.baseURL)"
    imported = npm.run(
        "node",
        "--input-type=module",
        "-e",
        f"import tasks from 'serverless-tasks-client';{show}",
        cwd=project,
    )
    assert imported == "cancel,createClient,get,list,members,options,run,watch /tasks/\n"
    required = npm.run("node", "-e", f"const tasks = require('serverless-tasks-client');{show}", cwd=project)
    assert required == "HTTPError,cancel,createClient,default,get,list,members,options,run,watch /tasks/\n"


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


def test_packed_package_holds_the_built_files_only(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "dist", tmp_path / "dist")
    shutil.copy(npm.CLIENT / "package.json", tmp_path)
    (tmp_path / "src").mkdir()
    listing = json.loads(npm.run("npm", "pack", "--dry-run", "--json", "--ignore-scripts", cwd=tmp_path))
    entry = listing[0] if isinstance(listing, list) else next(iter(listing.values()))
    paths = {file["path"] for file in entry["files"]}
    assert {"dist/esm/index.js", "dist/cjs/index.js", "dist/esm/index.d.ts", "dist/cjs/index.d.ts"} <= paths
    assert all(path.startswith("dist/") or path == "package.json" for path in paths)
