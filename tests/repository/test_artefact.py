"""The build's own checks of what a project asks it to bake in. That it builds, tests/e2e/test_artefact.py says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from lambda_handlers import artefact as reader

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("artefact", ROOT / "infra/lambda/artefact.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_handlers_read_the_file_that_the_build_writes(build: ModuleType) -> None:
    assert build.MANIFEST == reader.MANIFEST


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMAIL_HOST", "smtp.example.com"),
        ("KEYWORDS", "one two"),
        ("CACHE_KEY_PREFIX", "shop"),
        ("TOKENIZER", "fast"),
        ("PUBLIC_URL", "https://shop.example.com:8443/path?x=1@2"),
        (
            "SERVERLESS_TASKS_SECRET_DATABASE_URL",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf",
        ),
        ("SERVERLESS_TASKS_SECRET_API_TOKEN", "/shop/token"),
    ],
)
def test_a_plain_variable_or_a_reference_is_baked_in(build: ModuleType, name: str, value: str) -> None:
    assert build._variables({name: value}, []) == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_PASSWORD", "x"),
        ("SECRET_KEY", "x"),
        ("STRIPE_API_KEY", "x"),
        ("slack_token", "x"),
        ("DATABASE_URL", "postgres://shop:hunter2@db/shop"),
        ("REDIS", "redis://:hunter2@cache"),
        ("WHO", "AKIAIOSFODNN7EXAMPLE"),
        ("CERTIFICATE", "-----BEGIN RSA PRIVATE KEY-----"),
        ("PAYMENTS", "sk_live_abc"),
        ("SERVERLESS_TASKS_SECRET_DATABASE_URL", "postgres://shop:hunter2@db/shop"),
    ],
)
def test_what_looks_like_a_secret_is_refused_unless_it_is_said_to_be_none(
    build: ModuleType, name: str, value: str
) -> None:
    with pytest.raises(
        build.BuildError, match=f"has {name} in .environment., which looks like a secret"
    ) as refused:
        build._variables({name: value}, [])
    assert "hunter2" not in str(refused.value)
    assert build._variables({name: value}, [name]) == {name: value}


@pytest.mark.parametrize(
    "name",
    [
        "AWS_REGION",
        "SERVERLESS_TASKS_TABLE",
        "SERVERLESS_TASKS_SECRETS",
        "DJANGO_SETTINGS_MODULE",
        "_HANDLER",
    ],
)
def test_what_the_stack_sets_is_refused(build: ModuleType, name: str) -> None:
    with pytest.raises(build.BuildError, match=f"{name} in .environment., which the stack or Lambda sets"):
        build._variables({name: "x"}, [])


def test_a_value_is_text(build: ModuleType) -> None:
    with pytest.raises(build.BuildError, match=r"PORT = 25 in \[environment\]: write it in quotes"):
        build._variables({"PORT": 25}, [])


def test_a_variable_does_not_have_the_requirements_installed_again(build: ModuleType) -> None:
    settings = {"include": ["a"], "exclude": [], "trim": ["*.c"], "runtime": ["boto3"]}
    assert build._digest(settings) == build._digest(settings | {"environment": {"A": "b"}})
    assert build._digest(settings) != build._digest(settings | {"trim": ["*.h"]})


def _project(build: ModuleType, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    requirements = directory / "requirements.txt"
    requirements.write_text("powertools==1\n")
    monkeypatch.setattr(build, "REQUIREMENTS", requirements)
    own = directory / "own"
    (own / "shop").mkdir(parents=True)
    (own / "shop" / "tasks.py").write_text("PRICE = 1\n")
    return own


def test_a_build_is_named_by_the_hash_of_what_is_deployed(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(build.BUILD, raising=False)
    own = _project(build, tmp_path, monkeypatch)
    settings = {"runtime": [], "trim": []}

    def named(**variables: str) -> str:
        name: str = build._build_id(own, settings, variables)
        assert build.BUILD_NAME.fullmatch(name)
        return name

    first = named()
    assert named() == first
    others = {named(HOST="x")}
    (own / "shop" / "tasks.py").write_text("PRICE = 2\n")
    others.add(named())
    (own / "shop" / "tasks.py").rename(own / "shop" / "jobs.py")
    others.add(named())
    build.REQUIREMENTS.write_text("powertools==2\n")
    others.add(named())
    assert len(others | {first}) == 5


def test_a_build_may_be_named_by_the_environment(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = _project(build, tmp_path, monkeypatch)
    monkeypatch.setenv(build.BUILD, "2026-11.3")
    assert build._build_id(own, {}, {}) == "2026-11.3"
    monkeypatch.setenv(build.BUILD, "two words")
    with pytest.raises(build.BuildError, match="SERVERLESS_TASKS_BUILD is 'two words'"):
        build._build_id(own, {}, {})


def test_handlers_and_the_build_have_one_name_for_the_variable_of_the_build(build: ModuleType) -> None:
    assert build.BUILD == reader.BUILD
