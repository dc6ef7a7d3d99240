"""One MiniStack and one deployed stack for all deployed tests."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serverless_tasks.client.task_client import TaskClient
from serverless_tasks.engine.aws import session
from tests.e2e import deployment
from tests.e2e.deployment import REGION, ROOT, Stack
from tests.e2e.own_project import deployed, released, secrets, shop  # noqa: F401 - fixtures

# Of the pages that ask the status function for browsers.
ORIGIN = "https://app.example"
TASKS = Path(__file__).parent / "deployed_tasks.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MiniStack of these tests alone."""
    with deployment.emulator(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository with the tasks of these tests in it, built by `sam build`."""
    directory = deployment.copy_of_the_repository(tmp_path_factory.mktemp("repository"))
    (directory / TASKS.name).write_bytes(TASKS.read_bytes())
    settings = directory / "infra/lambda/artefact.toml"
    settings.write_text(settings.read_text().replace("include = [", f'include = ["{TASKS.name}", ', 1))
    config = directory / "samconfig.toml"
    config.write_text(
        config.read_text().replace(
            "=examples.tasks",
            f'=examples.tasks,{TASKS.stem}", "TaskPauses=true", "BrowserStatusOrigins={ORIGIN}',
        )
    )
    deployment.build(directory)
    return directory


@pytest.fixture(scope="session")
def stack(project: Path, endpoint: str) -> Stack:
    """The repository's own template, deployed by `sam deploy`."""
    stack = deployment.deploy(project, "serverless-tasks", endpoint)
    failed, answer = stack.invoke({"task": "sum", "inputs": {"numbers": []}})
    assert failed is None, f"the functions do not start: {answer}"
    return stack


@pytest.fixture(scope="session")
def publisher(stack: Stack) -> dict[str, str]:
    """Access keys of a user who holds PublisherPolicy, and beyond it reads the stack's outputs."""
    arn = f"arn:aws:cloudformation:{REGION}:*:stack/{stack.name}/*"
    outputs = {"Effect": "Allow", "Action": "cloudformation:DescribeStacks", "Resource": arn}
    return deployment.user(stack, "publisher", [outputs], stack.outputs["PublisherPolicyArn"])


@pytest.fixture(scope="session")
def operator(stack: Stack) -> dict[str, str]:
    """Access keys of a user who holds PublisherPolicy and OperatorPolicy, and reads the stack's outputs."""
    arn = f"arn:aws:cloudformation:{REGION}:*:stack/{stack.name}/*"
    outputs = {"Effect": "Allow", "Action": "cloudformation:DescribeStacks", "Resource": arn}
    policies = (stack.outputs["PublisherPolicyArn"], stack.outputs["OperatorPolicyArn"])
    return deployment.user(stack, "operator", [outputs], *policies)


@pytest.fixture(scope="session")
def reader(stack: Stack) -> dict[str, str]:
    """Access keys of a user who holds ReaderPolicy, and nothing else."""
    return deployment.user(stack, "reader", [], stack.outputs["ReaderPolicyArn"])


@pytest.fixture
def as_publisher(stack: Stack, publisher: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library in this process acts as the publisher."""
    for name, value in {
        **publisher,
        "AWS_ENDPOINT_URL": stack.endpoint,
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    session.reset()
    yield
    session.reset()


@pytest.fixture
def client(stack: Stack, as_publisher: None) -> TaskClient:
    """What a script uses, configured by the outputs of the stack."""
    return TaskClient.from_stack(stack.name)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that would be released."""
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [path] = target.glob("*.whl")
    return path
