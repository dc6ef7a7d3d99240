import random

import pytest

from serverless_tasks.retry import backoff


class Highest(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return b


class Lowest(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return a


@pytest.mark.parametrize(("failures", "longest"), [(1, 2), (2, 4), (3, 8), (9, 512), (10, 900), (1000, 900)])
def test_the_longest_wait_doubles_up_to_what_sqs_can_delay(failures: int, longest: int) -> None:
    assert backoff(failures, Highest()) == longest


def test_a_wait_has_at_least_a_second() -> None:
    assert backoff(5, Lowest()) == 1


def test_waits_differ() -> None:
    draw = random.Random(5)

    assert len({backoff(8, draw) for _ in range(50)}) > 10
