"""Traces: a segment for each job of a sampled invocation, and X-Ray's SDK left alone in all others."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled={}"
RUN_ONE = """
import os, sys
from lambda_handlers.telemetry import job
from serverless_tasks.engine.job.message import Message

os.environ["_X_AMZN_TRACE_ID"] = sys.argv[1]
with job(Message(uuid="0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d", task="sum")):
    pass
print("aws_xray_sdk" in sys.modules)
"""


def run_one(sampled: int, daemon: str) -> str:
    """Enter a job in a process of its own, as Lambda would; returns what it prints."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_XRAY_DAEMON_ADDRESS": daemon,
        "LAMBDA_TASK_ROOT": "somewhere",  # without it Powertools leaves tracing off
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN_ONE, TRACE.format(sampled)],
        env=environment,
        cwd=Path(__file__).parents[3],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_a_sampled_invocation_traces_each_job() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(5)
        run_one(1, f"127.0.0.1:{daemon.getsockname()[1]}")
        header, segment = daemon.recv(65_536).decode().split("\n", 1)
    sent = json.loads(segment)
    assert json.loads(header)["format"] == "json"
    assert (sent["name"], sent["trace_id"], sent["parent_id"]) == (
        "## sum",
        "1-5759e988-bd862e3fe1be46a994272793",
        "53995c3f42cd8ad8",
    )


def test_an_invocation_that_is_not_sampled_does_not_load_the_sdk() -> None:
    assert run_one(0, "127.0.0.1:9") == "False"
