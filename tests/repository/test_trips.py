"""The script that counts the modules of a call: it sees each trip, and nothing of other packages."""

import subprocess
import sys
from pathlib import Path

from benchmarks.trips import Trip

ROOT = Path(__file__).resolve().parents[2]


def test_each_trip_is_counted() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.trips"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows = done.stdout.splitlines()[-4:]
    counts = {row[:32].strip(): [int(word) for word in row[32:].replace("/", " ").split()] for row in rows}
    assert set(counts) == {
        "one record through the worker",
        "Task.submit",
        "POST /tasks/",
        "GET /tasks/<uuid>/",
    }
    for modules, moves, short_modules, short_moves in counts.values():
        assert 5 < short_modules < modules < moves
        assert short_modules < short_moves < moves


def test_a_trip_names_a_module_once_for_as_long_as_it_stays() -> None:
    trip = Trip()
    for module in (
        "json",
        "serverless_tasks.task",
        "serverless_tasks.task",
        "serverless_tasks.engine.aws.sender",
    ):
        trip.at(module)
    trip.at("serverless_tasks.task")

    assert (trip.modules, trip.moves) == (2, 2)
    assert trip.without_aws.path == ["serverless_tasks.task"]
