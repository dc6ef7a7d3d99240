"""Checks that a task may run twice: a real database, its transactions, and mails."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.core.mail import send_mail
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from serverless_tasks import Task
from serverless_tasks.testing import check_repeatable, recorded
from tests.django.warehouse.models import Order, Parcel

pytestmark = pytest.mark.django_db


def task_of(work: Any) -> type[Task]:
    def run(self: Task) -> None:
        work(self)

    return type("Work", (Task,), {"name": "work", "run": run})


def checked(work: Any) -> list[str]:
    report = check_repeatable(task_of(work), fail=False)
    assert report.problems == ()
    return [f"{each.write.what}: {each.reason}" for each in report.repeated]


def test_a_row_that_is_made_twice_is_named_with_its_line() -> None:
    def work(task: Task) -> None:
        Order.objects.create(customer="ada")

    with pytest.raises(AssertionError) as raised:
        check_repeatable(task_of(work))
    line = work.__code__.co_firstlineno + 1
    assert f"INSERT warehouse_order at tests/django/repeatable/test_database.py:{line} in work" in str(
        raised.value
    )
    assert Order.objects.count() == 0


@pytest.mark.parametrize("transactional", [False, True])
def test_a_loop_goes_on_where_it_was(transactional: bool) -> None:
    def work(task: Task) -> None:
        for name in ("ada", "bob", "eve"):
            order, _ = Order.objects.get_or_create(customer=name)
            order.status = "done"
            order.save()

    assert checked(transaction.atomic(work) if transactional else work) == []


def test_update_or_create_may_run_twice() -> None:
    def work(task: Task) -> None:
        Order.objects.update_or_create(customer="ada", defaults={"status": "paid"})
        Order.objects.filter(customer="ada").update(status=str(datetime.now(UTC)))

    assert checked(work) == []


def test_a_counter_is_counted_twice() -> None:
    weigh = Parcel.objects.create(weight=1).pk

    def by_sql(task: Task) -> None:
        Parcel.objects.filter(pk=weigh).update(weight=F("weight") + 1)

    def by_hand(task: Task) -> None:
        parcel = Parcel.objects.get(pk=weigh)
        parcel.weight += 1
        parcel.save()

    def once(task: Task) -> None:
        Parcel.objects.filter(pk=weigh, weight=1).update(weight=F("weight") + 1)

    assert checked(by_sql) == ["UPDATE warehouse_parcel: done twice"]
    assert checked(by_hand) == ["UPDATE warehouse_parcel: other values"]
    assert checked(once) == []
    assert Parcel.objects.get(pk=weigh).weight == 1


def test_a_row_may_have_several_values_on_the_way() -> None:
    def checkpoint(task: Task) -> None:
        done, _ = Parcel.objects.get_or_create(pk=task.execution.uuid, defaults={"weight": 0})
        for weight in range(done.weight + 1, 4):
            Parcel.objects.filter(pk=done.pk).update(weight=weight)

    def status(task: Task) -> None:
        order, _ = Order.objects.get_or_create(customer="ada")
        for order.status in ("begun", "done"):
            order.save()

    def counted(task: Task) -> None:
        parcel, _ = Parcel.objects.get_or_create(pk=task.execution.uuid, defaults={"weight": 0})
        for _ in range(2):
            parcel.weight += 1
            parcel.save()

    assert checked(checkpoint) == []
    assert checked(status) == []
    assert set(checked(counted)) == {"UPDATE warehouse_parcel: other values"}


def test_what_is_rolled_back_has_not_happened() -> None:
    def work(task: Task) -> None:
        try:
            with transaction.atomic():
                Order.objects.create(customer="ada")
                raise ValueError
        except ValueError:
            pass
        with transaction.atomic():
            if not Order.objects.filter(status=task.execution.uuid).exists():
                Order.objects.create(customer="ada", status="new")
                Order.objects.create(customer="log", status=task.execution.uuid)

    assert checked(work) == []


@pytest.mark.parametrize("savepoint", [True, False])
def test_a_worker_lost_in_a_transaction_leaves_nothing_of_it(savepoint: bool) -> None:
    seen: list[int] = []

    def work(task: Task) -> None:
        seen.append(Order.objects.count())
        with transaction.atomic(durable=savepoint, savepoint=savepoint):
            if not Order.objects.exists():
                Order.objects.create(customer="ada")
                Order.objects.create(customer="bob")

    assert checked(work) == []
    assert seen == [
        0,
        0,
        2,
        0,
        0,
        0,
        0,
    ]  # undisturbed; the whole run lost; in the transaction, after each of two


def test_a_task_that_catches_everything_is_lost_all_the_same() -> None:
    seen: list[int] = []

    def work(task: Task) -> None:
        seen.append(Order.objects.count())
        with transaction.atomic(), connection.cursor() as cursor:
            if seen[-1] == 0:
                with suppress(BaseException):
                    cursor.execute("INSERT INTO warehouse_order (customer, status) VALUES ('ada', '')")

    assert checked(work) == []
    assert seen == [0, 0, 1, 0, 0]


def test_without_the_transaction_half_of_it_is_left() -> None:
    seen: list[int] = []

    def work(task: Task) -> None:
        seen.append(Order.objects.count())
        if not Order.objects.exists():
            Order.objects.create(customer="ada")
            Order.objects.create(customer="bob")

    checked(work)
    assert seen == [0, 0, 2, 0, 1, 0, 2]


def test_what_is_emptied_and_filled_anew_is_no_repetition() -> None:
    def work(task: Task) -> None:
        Order.objects.all().delete()
        Order.objects.bulk_create([Order(customer="ada"), Order(customer="bob")])

    def twice(task: Task) -> None:
        Order.objects.bulk_create([Order(customer="ada"), Order(customer="bob")])

    assert checked(work) == []
    assert checked(twice) == ["INSERT warehouse_order: done twice"]


def test_rows_that_the_database_ignores_are_not_written() -> None:
    pk = uuid4()

    def work(task: Task) -> None:
        Parcel.objects.bulk_create([Parcel(pk=pk, weight=1)], ignore_conflicts=True)

    def refused(task: Task) -> None:
        Parcel.objects.create(pk=pk)

    assert checked(work) == []
    report = check_repeatable(task_of(refused), fail=False)
    assert report.repeated == ()
    assert report.problems[0].startswith(IntegrityError.__name__)


def test_statements_of_ones_own_are_seen() -> None:
    def work(task: Task) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO warehouse_order (customer, status) VALUES (%s, 'new')", ["ada"])
            cursor.execute("UPDATE warehouse_order SET status = status || 'x' WHERE customer = %s", ["ada"])

    assert checked(work) == ["INSERT warehouse_order: done twice", "UPDATE warehouse_order: done twice"]


def test_a_mail_is_sent_twice_unless_a_row_says_that_it_was() -> None:
    def work(task: Task) -> None:
        send_mail("Your order", "It is sent.", "shop@example.com", ["ada@example.com"])

    mail.outbox = []
    assert checked(work) == ["mail to ada@example.com: done twice"]
    assert mail.outbox == []


def test_what_waits_for_the_commit_comes_with_it() -> None:
    order: list[str] = []

    def work(task: Task) -> None:
        with transaction.atomic():
            if Order.objects.exists():
                return
            Order.objects.create(customer="ada")
            transaction.on_commit(lambda: send_mail("a", "b", "shop@example.com", ["ada@example.com"]))
        order.append(f"{len(mail.outbox)}")

    mail.outbox = []
    report = check_repeatable(task_of(work))
    assert [write.what for write in report.writes] == ["INSERT warehouse_order", "mail to ada@example.com"]
    assert order[0] == "1"


def test_the_database_is_as_it_was_when_the_test_has_no_transaction(transactional_db: None) -> None:
    def work(task: Task) -> None:
        with transaction.atomic():
            Order.objects.get_or_create(customer="ada")

    assert checked(work) == []
    assert Order.objects.count() == 0
    assert not connection.in_atomic_block


class Pay(Task):
    name = "pay"

    def run(self):
        Order.objects.create(customer="ada")


def test_each_job_of_a_block_can_be_checked_before_it_runs() -> None:
    with recorded(Pay) as jobs:
        jobs.reset = list
        Pay.submit()
        with pytest.raises(AssertionError, match="pay is not repeatable"):
            jobs.drain()
    assert Order.objects.count() == 0


def test_without_it_jobs_run_as_ever() -> None:
    with recorded(Pay) as jobs:
        Pay.submit()
        jobs.drain()
    assert Order.objects.count() == 1
