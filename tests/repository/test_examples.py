"""The example's tasks, run at once and in memory."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import serverless_tasks
from examples import workflows
from examples.demo import samples
from examples.tasks import MakeThumbnail, SummariseColumns, SumNumbers, rates
from serverless_tasks import InvalidInputs
from serverless_tasks.engine.config import Config
from serverless_tasks.engine.job.record import Record
from serverless_tasks.engine.services import reset


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    serverless_tasks.configure(Config(modules=("examples.tasks",)), backend="immediate")
    yield
    reset()


def done(task: Any, **inputs: Any) -> Record:
    record: Record = task.submit(**inputs).refresh().record
    return record


def png(width: int, height: int) -> str:
    written = io.BytesIO()
    Image.new("RGBA", (width, height), (200, 30, 30, 128)).save(written, "png")
    return base64.b64encode(written.getvalue()).decode()


def columns(text: str, **inputs: Any) -> dict[str, dict[str, Any]]:
    record = done(SummariseColumns, text=text, **inputs)
    assert record.status == "succeeded", record.failure
    return {column["name"]: column for column in record.outputs["columns"]}


def test_the_module_registers_its_tasks() -> None:
    names = {task.name for task in serverless_tasks.services().registry}
    assert names == {
        *("sum", "summarise-columns", "make-thumbnail", "sum-sales", "report-sales"),
        *("fetch-rates", "parse-rates", "store-rates"),
    }


def test_sum() -> None:
    assert done(SumNumbers, numbers=[1, 2.5]).outputs == {"sum": 3.5}


class TestSummariseColumns:
    def test_says_what_each_kind_of_column_holds(self) -> None:
        found = columns("n;when;town;none\n1;2026-03-01;Oslo;\n3;2025-12-31;Rome;\n;2026-01-15;Oslo;\n")
        assert (found["n"]["kind"], found["n"]["minimum"], found["n"]["maximum"], found["n"]["mean"]) == (
            "number",
            1,
            3,
            2,
        )
        assert (found["n"]["empty"], found["n"]["deviation"]) == (1, 1)
        assert (found["when"]["kind"], found["when"]["first"], found["when"]["last"]) == (
            "date",
            "2025-12-31",
            "2026-03-01",
        )
        assert (found["town"]["most_common"], found["town"]["most_common_count"]) == ("Oslo", 2)
        assert found["none"]["kind"] == "empty"

    def test_progress_ends_at_the_size_in_bytes(self) -> None:
        text = "name\nZoë\n"
        record = done(SummariseColumns, text=text)
        assert record.progress == record.target == len(text.encode()) == 10

    def test_a_quoted_cell_may_hold_what_separates(self) -> None:
        assert columns('a,b\n"x,\ny",2\n')["a"]["most_common"] == "x,\ny"

    def test_takes_the_delimiter_that_it_is_given(self) -> None:
        assert list(columns("a|b,c\n1|2\n", delimiter="|")) == ["a", "b,c"]

    def test_tells_of_uneven_lines_a_few_times(self) -> None:
        record = done(SummariseColumns, text="a,b\n" + "1\n" * 9)
        assert record.messages[1] == "Line 2 has 1 cells instead of 2."
        assert record.messages[-2:] == ("There are more such lines.", "Read 9 rows.")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "The file is empty"),
            ('a\n"open\n', "Line 2 cannot be read as CSV"),
            ("a," * 300, "has 301 columns"),
        ],
    )
    def test_tells_its_user_why_it_cannot(self, text: str, reason: str) -> None:
        record = done(SummariseColumns, text=text)
        assert record.status == "failed"
        assert reason in record.error["message"]


class TestMakeThumbnail:
    @pytest.mark.parametrize("format", ["webp", "jpeg", "png"])
    def test_fits_the_picture_into_the_box(self, format: str) -> None:
        record = done(MakeThumbnail, image=png(400, 100), width=100, height=100, format=format)
        assert record.status == "succeeded", record.failure
        made = record.outputs
        opened = Image.open(io.BytesIO(base64.b64decode(made["image"])))
        assert (opened.size, opened.format.lower()) == ((100, 25), format)
        assert (made["width"], made["height"], made["original_width"]) == (100, 25, 400)
        assert record.progress == record.target

    def test_never_enlarges(self) -> None:
        assert done(MakeThumbnail, image=png(20, 30)).outputs["width"] == 20

    def test_turns_the_picture_upright(self) -> None:
        written = io.BytesIO()
        picture = Image.new("RGB", (40, 20))
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.save(written, "jpeg", exif=exif)
        made = done(MakeThumbnail, image=base64.b64encode(written.getvalue()).decode()).outputs
        assert (made["width"], made["height"]) == (20, 40)

    @pytest.mark.parametrize("data", [b"nope", base64.b64decode(png(40, 40))[:60]])
    def test_tells_its_user_when_it_is_no_picture(self, data: bytes) -> None:
        record = done(MakeThumbnail, image=base64.b64encode(data).decode())
        assert record.error == {
            "type": "TaskError",
            "message": "The file is not a picture that can be read, or it is damaged.",
        }

    def test_refuses_what_is_too_large_before_it_is_sent(self) -> None:
        large = base64.b64encode(bytes(6_000_001)).decode()
        with pytest.raises(InvalidInputs, match="the limit is 6,000,000"):
            MakeThumbnail.submit(image=large)
        with pytest.raises(InvalidInputs, match="width"):
            MakeThumbnail.submit(image=png(20, 20), width=2000)

    def test_refuses_a_picture_with_too_many_pixels(self) -> None:
        written = io.BytesIO()
        Image.new("1", (10_000, 5_001)).save(written, "png")
        record = done(MakeThumbnail, image=base64.b64encode(written.getvalue()).decode())
        assert "10000 x 5001 pixels" in record.error["message"]


class TestReportSales:
    def test_is_made_of_all_files_once_they_are_read(self) -> None:
        handle = workflows.report_sales("June", samples.sales(200))

        assert handle.members.succeeded == handle.members.total == 200
        totals = [outputs["total"] for outputs in handle.results() if outputs]
        assert handle.continuation is not None
        report = handle.continuation.refresh().outputs
        assert (report["title"], report["total"]) == ("June: 200 shops", round(sum(totals), 2))
        assert len(report["best"]) == 3

    def test_is_not_made_where_a_file_cannot_be_read(self) -> None:
        handle = workflows.report_sales("June", {**samples.sales(3), "Oslo": "article,amount\ntea,lots\n"})

        assert handle.error == {
            "type": "MembersFailed",
            "message": "1 of 4 members did not succeed: 3.",
        }
        assert handle.continuation is None


class TestImportRates:
    @pytest.fixture(autouse=True)
    def database(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rates, "DATABASE", tmp_path / "rates.sqlite3")

    def test_stores_what_was_fetched_and_parsed(self) -> None:
        for _ in range(2):
            handle = workflows.import_rates(samples.rates())
            assert handle.status == "succeeded"
            assert list(handle.results())[-1] == {"stored": 3}

    def test_stores_nothing_where_the_middle_fails(self) -> None:
        handle = workflows.import_rates(samples.broken_rates())

        steps = list(serverless_tasks.TaskClient().members(handle.uuid))
        assert [step.status for step in steps] == ["succeeded", "failed", "cancelled"]
        assert [step.error and step.error["type"] for step in steps] == [None, "TaskError", "Skipped"]
        assert "Line 2 is 'GBP unknown'" in (steps[1].error or {})["message"]
        assert not rates.DATABASE.exists()

    @pytest.mark.parametrize("url", ["file:///etc/hostname", "http://169.254.169.254/"])
    def test_fetches_from_nowhere_else(self, url: str) -> None:
        handle = workflows.import_rates(url)
        first = next(serverless_tasks.TaskClient().members(handle.uuid))
        assert "Only https:// and data: URLs are fetched" in (first.error or {})["message"]
