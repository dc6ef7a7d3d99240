"""Equal failures have one fingerprint, others have another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from serverless_tasks.engine.statistics import fingerprint
from serverless_tasks.engine.statistics.fingerprint import (
    folded,
    kind_of,
    other_kind,
    own_frame,
    trace_of,
)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("order 17 of 2026-01-31 12:00:01", "order <n> of <n>-<n>-<n> <n>"),
        ("job 0b0e64f7-7d0b-4d6c-8a3a-1f5f3d8f1c11 is gone", "job <id> is gone"),
        ("at 0x7f3a2b1c, etag 9e107d9d372bb6826bd81d3542a419d6", "at <hex>, etag <hex>"),
        ("no key 'anna@example.com' in \"people\"", "no key <text> in <text>"),
        ("don't retry: can't connect", "don't retry: can't connect"),
        ("a  b\n\tc", "a b c"),
        ("defaced facade", "defaced facade"),
        ("", ""),
    ],
)
def test_what_differs_from_job_to_job_is_folded(message: str, expected: str) -> None:
    assert folded(message) == expected


def test_a_long_message_is_cut() -> None:
    assert (
        kind_of("sum", "E", "x" * 10_000).fingerprint == kind_of("sum", "E", "x" * 10_000 + "y").fingerprint
    )
    assert len(folded("x" * 10_000)) == fingerprint.LONGEST_FOLDED


def test_a_fingerprint_is_stable() -> None:
    assert kind_of("sum", "ValueError", "no 7").fingerprint == "38b0eccf19f4"


def test_task_type_and_message_tell_kinds_apart() -> None:
    kinds = [
        kind_of("sum", "ValueError", "no 7"),
        kind_of("mean", "ValueError", "no 7"),
        kind_of("sum", "KeyError", "no 7"),
        kind_of("sum", "ValueError", "yes 7"),
        other_kind("sum"),
        other_kind("mean"),
    ]
    assert len({kind.fingerprint for kind in kinds}) == len(kinds)
    assert kind_of("sum", "ValueError", "no 8").fingerprint == kinds[0].fingerprint


def raised(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - the test's own
        return error
    raise AssertionError("nothing was raised")


def a_module(folder: Path, name: str, text: str) -> ModuleType:
    path = folder / (name.replace(".", "/") + ".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    module = ModuleType(name)
    exec(compile(text, str(path), "exec"), vars(module))
    return module


def broken() -> None:
    json.loads("{")


def outer() -> None:
    broken()


class TestFrame:
    def test_it_is_the_innermost_of_the_project_s_own(self) -> None:
        frame = own_frame(raised(outer).__traceback__)
        assert frame == f"{__name__}.broken"  # not json.decoder's

    def test_it_has_no_line_number(self, tmp_path: Path) -> None:
        one = a_module(tmp_path, "shop.tasks", "def run():\n    raise ValueError('no')\n")
        two = a_module(tmp_path, "shop.tasks", "\n\n# moved\ndef run():\n    raise ValueError('no')\n")
        traces = [raised(module.run).__traceback__ for module in (one, two)]
        prints = [kind_of("sum", "ValueError", "no", trace).fingerprint for trace in traces]
        assert prints[0] == prints[1]
        assert own_frame(traces[0]) == "shop.tasks.run"

    def test_two_functions_are_two_kinds(self) -> None:
        def one() -> None:
            raise ValueError("no")

        def two() -> None:
            raise ValueError("no")

        prints = {
            kind_of("sum", "ValueError", "no", raised(call).__traceback__).fingerprint for call in (one, two)
        }
        assert len(prints) == 2

    def test_installed_packages_are_passed_over(self, tmp_path: Path) -> None:
        library = a_module(tmp_path / "lib/site-packages", "client.api", "def get(): raise ValueError('no')")
        assert own_frame(raised(library.get).__traceback__).startswith(__name__)

    def test_so_are_those_that_lie_beside_the_project_s_code_as_in_lambda(self, tmp_path: Path) -> None:
        (tmp_path / "Some_Client-1.0.dist-info").mkdir()
        library = a_module(tmp_path, "some_client.api.v1", "def get(): raise ValueError('no')")
        own = a_module(tmp_path, "shop.orders", "def fetch(get): get()")
        assert own_frame(raised(lambda: own.fetch(library.get)).__traceback__) == "shop.orders.fetch"

    def test_a_timeout_has_none_since_it_strikes_anywhere(self) -> None:
        assert kind_of("sum", "TaskTimeout", "no", raised(outer).__traceback__).frame == ""

    def test_retries_that_are_used_up_have_that_of_the_last_request(self) -> None:
        exhausted = RuntimeError("used up")
        exhausted.__cause__ = raised(outer)
        assert own_frame(trace_of(exhausted)) == f"{__name__}.broken"
        assert trace_of(RuntimeError("never raised")) is None

    def test_code_of_no_file_has_none(self) -> None:
        made: dict[str, object] = {"__name__": 7}
        exec("def run(): raise ValueError('no')", made)
        error = raised(made["run"])  # type: ignore[arg-type]
        trace = error.__traceback__
        assert trace is not None
        assert own_frame(trace.tb_next) == ""

    def test_the_project_may_be_a_script(self, tmp_path: Path) -> None:
        script = a_module(tmp_path, "__main__", "def run(): raise ValueError('no')")
        assert own_frame(raised(script.run).__traceback__) == "__main__.run"

    def test_without_a_traceback_there_is_none(self) -> None:
        assert own_frame(None) == ""
