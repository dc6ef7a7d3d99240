"""Statistics and errors in DynamoDB: items whose numbers are added to, beside the jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serverless_tasks.engine.aws.dynamodb.expressions import from_dynamodb, to_dynamodb
from serverless_tasks.engine.aws.metering import written
from serverless_tasks.engine.aws.session import ConditionFailed, call
from serverless_tasks.engine.statistics.counts import Counts
from serverless_tasks.engine.statistics.items import (
    FIRST,
    HOUR_MS,
    error_days,
    errors_key,
    example_fields,
    example_key,
    example_until,
    first_key,
    forget_days,
    forgotten,
    hour_attribute,
    hour_start,
    hours_key,
    kept_until,
    kind_fields,
)
from serverless_tasks.engine.store.items import day_of
from serverless_tasks.engine.store.transitions import Change
from serverless_tasks.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serverless_tasks.engine.aws.dynamodb.items import TableItems
    from serverless_tasks.engine.statistics.errors import ErrorDay, Occurrences


class TableStatistics:
    """See `StatisticsStore`.

    Args:
        items: the table.
        table: its name.
        writer: gives the client that adds: one that tries once, and does not wait for long.
    """

    def __init__(self, items: TableItems, table: str, writer: Callable[[], Any]) -> None:
        self._items = items
        self._table = table
        self._writer = writer

    def add(self, task: str, hour: str, shard: int, counts: Mapping[str, float]) -> float:
        """See `StatisticsStore.add`."""
        ttl = kept_until(hour_start(hour) + HOUR_MS)
        response = self._update(hours_key(task), f"{hour}#{shard}", put={"ttl": ttl}, add=counts)
        return written(response)

    def hours(self, task: str, since: str, until: str) -> dict[str, Counts]:
        """See `StatisticsStore.hours`."""
        items = self._items.query(
            "pk = :pk AND sk BETWEEN :since AND :until",
            {":pk": hours_key(task), ":since": since, ":until": until},
            consistent=False,
        )
        found: dict[str, Counts] = {}
        for item in items:
            hour = item["sk"].partition("#")[0]
            found[hour] = found.get(hour, Counts()) + Counts.of(item)
        return found

    def add_errors(self, occurrences: Occurrences) -> tuple[float, bool]:
        """See `StatisticsStore.add_errors`."""
        kind, ttl = occurrences.kind, kept_until(occurrences.last)
        day, hour = errors_key(day_of(occurrences.first)), hour_attribute(occurrences.first)
        response = self._update(
            day,
            kind.fingerprint,
            put={**kind_fields(kind), "last": occurrences.last, "ttl": ttl},
            unless={"first": occurrences.first},
            add={hour: occurrences.count, "n": occurrences.count},
            answer="UPDATED_NEW",
        )
        units = written(response)
        try:
            more, new = self._add_example(occurrences, response, day, ttl)
        except AwsError as error:
            error.applied = True  # the failures are counted: they are not to be added once more
            raise
        return units + more, new

    def _add_example(
        self, occurrences: Occurrences, counted: Mapping[str, Any], day: str, ttl: int
    ) -> tuple[float, bool]:
        """Keep an example of failures that are counted, and see whether their kind is new."""
        kind, units = occurrences.kind, 0.0
        if example := example_fields(occurrences):
            put = {"ttl": example_until(occurrences.last)}
            units += written(self._update(day, example_key(kind.fingerprint), put=put, unless=example))
        if from_dynamodb(counted.get("Attributes", {})).get("n") != occurrences.count:
            return units, False  # it has been seen today
        seen = self._update(
            first_key(kind.fingerprint),
            FIRST,
            put={**kind_fields(kind), "ttl": ttl},
            unless={"first": occurrences.first},
            answer="ALL_OLD",
        )
        before = from_dynamodb(seen.get("Attributes", {}))
        # DynamoDB deletes an item up to some days after its TTL.
        return units + written(seen), before.get("ttl", 0) <= occurrences.first // 1000

    def errors(self, days: Sequence[str]) -> list[ErrorDay]:
        """See `StatisticsStore.errors`."""
        return error_days(
            item
            for day in days
            for item in self._items.query("pk = :pk", {":pk": errors_key(day)}, consistent=False)
        )

    def error(self, fingerprint: str, days: Sequence[str]) -> list[ErrorDay]:
        """See `StatisticsStore.error`."""
        keys = [errors_key(day) for day in days]
        sks = (fingerprint, example_key(fingerprint))
        return error_days(item for sk in sks for item in self._items.get_many(keys, sk).values())

    def first_seen(self, fingerprints: Sequence[str]) -> dict[str, int]:
        """See `StatisticsStore.first_seen`."""
        keys = {first_key(name): name for name in fingerprints}
        found = self._items.get_many(list(keys), FIRST, ("first",))
        return {keys[pk]: item["first"] for pk, item in found.items() if "first" in item}

    def forget(self, fingerprint: str, uuid: str, failed: int) -> None:
        """See `StatisticsStore.forget`."""
        for day in forget_days(failed):
            item = self._items.get(errors_key(day), example_key(fingerprint))
            names = [] if item is None else forgotten(item, uuid)
            if not names:
                continue
            condition = " AND ".join(f"#{name} = :uuid" for name in names if name != "text")
            try:
                self._items.update(
                    errors_key(day),
                    example_key(fingerprint),
                    Change(remove=tuple(names)),
                    condition=condition,
                    values={"uuid": uuid},
                    answered=False,
                )
            except ConditionFailed:
                continue  # another deletion was quicker

    def _update(
        self,
        pk: str,
        sk: str,
        *,
        put: Mapping[str, Any],
        unless: Mapping[str, Any] | None = None,
        add: Mapping[str, float] | None = None,
        answer: str = "NONE",
    ) -> dict[str, Any]:
        """Change an item, whatever it is: nothing is read, and a repetition would add once more."""
        # As a `Change`, the some hundred numbers of an hour would not fit the 4 KB that an expression may have:
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-expression-parameters
        names: dict[str, str] = {}
        values: dict[str, Any] = {}

        def terms(fields: Mapping[str, Any], form: str) -> list[str]:
            found = []
            for name, value in fields.items():
                number = len(names)
                names[f"#{number}"], values[f":{number}"] = name, value
                found.append(form.format(number))
            return found

        assignments = [*terms(put, "#{0} = :{0}"), *terms(unless or {}, "#{0} = if_not_exists(#{0}, :{0})")]
        expression = f"SET {', '.join(assignments)}"
        if add:
            expression += f" ADD {', '.join(terms(add, '#{0} :{0}'))}"
        response: dict[str, Any] = call(
            self._writer().update_item,
            TableName=self._table,
            Key=to_dynamodb({"pk": pk, "sk": sk}),
            UpdateExpression=expression,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=to_dynamodb(values),
            ReturnValues=answer,
            ReturnConsumedCapacity="TOTAL",
        )
        return response
