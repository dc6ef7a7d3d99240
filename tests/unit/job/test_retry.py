import random

import pytest

from serverless_tasks.engine.job.retry import backoff


class Highest(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return b


class Lowest(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return a


@pytest.mark.parametrize(("failures", "longest"), [(1, 2), (2, 4), (3, 8), (9, 512), (10, 900), (1000, 900)])
def test_the_longest_wait_doubles_up_to_what_sqs_can_delay(failures: int, longest: int) -> None:
    assert backoff(failures, draw=Highest()) == longest


def test_a_wait_has_at_least_a_second() -> None:
    assert backoff(5, draw=Lowest()) == 1


def test_waits_differ() -> None:
    draw = random.Random(5)

    assert len({backoff(8, draw=draw) for _ in range(50)}) > 10


@pytest.mark.parametrize(("failures", "longest"), [(1, 10), (2, 20), (3, 40), (4, 60), (100, 60)])
def test_a_task_has_a_base_and_a_cap_of_its_own(failures: int, longest: int) -> None:
    assert backoff(failures, 10, 60, Highest()) == longest


def test_the_whole_range_is_drawn_from() -> None:
    draw = random.Random(7)
    waits = {backoff(3, 10, 60, draw) for _ in range(2000)}

    assert (min(waits), max(waits)) == (1, 40)


def test_without_a_base_nothing_is_waited() -> None:
    assert backoff(5, 0) == 0


def test_a_cap_may_be_past_what_sqs_can_delay() -> None:
    assert backoff(30, 2, 86_400, Highest()) == 86_400
