"""The stack's token keys: few reads, and a rotation that no caller notices."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from serverless_tasks.engine.aws import session
from serverless_tasks.engine.aws.token_keys import SecretKeys
from serverless_tasks.engine.tokens.keys import FixedKeys
from serverless_tasks.engine.tokens.token import Token, job_token
from serverless_tasks.errors import AwsError, InvalidToken
from tests.support.clock import FakeClock

UUID = "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d"
NAME = "token-key"
FIRST, SECOND, THIRD = "1" * 64, "2" * 64, "3" * 64


class World:
    """A secret, and processes that read it."""

    def __init__(self) -> None:
        self.client = session.client("secretsmanager")
        self.client.create_secret(Name=NAME, SecretString=FIRST)
        self.clock = FakeClock(time.time())  # moto dates versions by the machine's clock
        self.reads: list[Any] = []
        self.client.meta.events.register(
            "before-parameter-build", lambda params, **_: self.reads.append(params.get("VersionStage"))
        )

    def process(self) -> SecretKeys:
        return SecretKeys(self.client, NAME, self.clock)

    def rotate(self, key: str) -> None:
        self.client.put_secret_value(SecretId=NAME, SecretString=key)
        self.reads.clear()

    def token(self, keys: SecretKeys) -> str:
        return job_token(UUID, minutes=60, allow=["read"], keys=keys, now=self.clock.now())

    def reads_it(self, token: str, keys: SecretKeys) -> bool:
        return Token.read(token, keys, self.clock.now()).uuid == UUID


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with mock_aws():
        session.reset()
        yield World()
        session.reset()


def test_the_key_is_read_once_in_five_minutes(world: World) -> None:
    world.clock.move(60)
    site = world.process()
    first = world.token(site)
    world.clock.move(299)
    world.token(site)
    assert world.reads == ["AWSCURRENT"]
    assert world.reads_it(first, site)
    assert world.reads == ["AWSCURRENT"]
    world.clock.move(1)
    world.token(site)
    assert world.reads == ["AWSCURRENT", "AWSCURRENT"]


def test_a_rotation_is_noticed_by_nobody(world: World) -> None:
    site, function = world.process(), world.process()
    before = world.token(site)
    assert world.reads_it(before, function)
    world.rotate(SECOND)
    during = world.token(site)  # the site has not heard of it
    world.clock.move(300)
    after = world.token(site)
    assert during.split(".")[1] == before.split(".")[1] != after.split(".")[1]
    assert all(world.reads_it(each, keys) for each in (before, during, after) for keys in (site, function))
    new_function = world.process()
    assert all(world.reads_it(each, new_function) for each in (before, after))


def test_a_new_key_signs_once_all_can_know_it(world: World) -> None:
    function = world.process()
    old = world.token(world.process())
    assert world.reads_it(old, function)
    world.rotate(SECOND)
    stranger = job_token(UUID, minutes=60, allow=["read"], keys=FixedKeys(["x" * 32]), now=world.clock.now())
    with pytest.raises(InvalidToken):
        world.reads_it(stranger, function)  # looks for no other key for a while
    site = world.process()
    assert world.token(site).split(".")[1] == old.split(".")[1]
    world.clock.move(61)
    new = world.token(site)
    assert new.split(".")[1] != old.split(".")[1]
    assert world.reads_it(new, function)


def test_a_second_rotation_ends_the_first_key(world: World) -> None:
    old = world.token(world.process())
    world.rotate(SECOND)
    world.rotate(THIRD)
    with pytest.raises(InvalidToken):
        world.reads_it(old, world.process())


def test_tokens_of_strangers_cost_two_reads_in_half_a_minute(world: World) -> None:
    function = world.process()
    stranger = job_token(UUID, minutes=60, allow=["read"], keys=FixedKeys(["x" * 32]), now=world.clock.now())
    world.reads.clear()
    for _ in range(10):
        with pytest.raises(InvalidToken):
            world.reads_it(stranger, function)
    assert world.reads == ["AWSCURRENT", "AWSPREVIOUS"]
    world.clock.move(30)
    with pytest.raises(InvalidToken):
        world.reads_it(stranger, function)
    assert len(world.reads) == 4


def test_the_key_holds_while_the_secret_cannot_be_read(world: World) -> None:
    site = world.process()
    token = world.token(site)
    world.client.delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True)
    world.clock.move(400)
    assert world.reads_it(world.token(site), site)
    assert world.reads_it(token, site)
    with pytest.raises(AwsError):
        world.token(world.process())
