"""The function for Slack in docs/operating.md does what the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from samtranslator.yaml_helper import yaml_parse

WHOLE = (Path(__file__).resolve().parents[2] / "docs/operating.md").read_text(encoding="utf-8")
PAGE = WHOLE.split("### Hearing of new errors")[1].split("\n## ")[0]
EVENT = {"Records": [{"Sns": {"Subject": "shop: new error", "Message": "order <n> & <text>\nIn shop.run."}}]}


@pytest.fixture
def handler() -> Callable[..., Any]:
    [code] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    made: dict[str, Any] = {}
    exec(compile(code, "slack.py", "exec"), made)
    found: Callable[..., Any] = made["handler"]
    return found


def test_an_announcement_goes_to_the_webhook(
    handler: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T/B/x")
    with mock.patch("urllib.request.urlopen") as urlopen:
        handler(EVENT, None)
    [request] = urlopen.call_args.args
    assert (request.full_url, request.get_method()) == ("https://hooks.slack.com/services/T/B/x", "POST")
    assert request.get_header("Content-type") == "application/json"
    # https://api.slack.com/reference/surfaces/formatting#escaping
    assert json.loads(request.data) == {
        "text": "*shop: new error*\norder &lt;n&gt; &amp; &lt;text&gt;\nIn shop.run."
    }


def test_what_slack_refuses_is_an_error_so_that_sns_sends_it_again(
    handler: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T/B/x")
    with (
        mock.patch("urllib.request.urlopen", side_effect=OSError("refused")),
        pytest.raises(OSError, match="refused"),
    ):
        handler(EVENT, None)


def test_its_resource_names_the_function() -> None:
    [text] = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    properties = yaml_parse(text)["SlackFunction"]["Properties"]
    assert properties["Handler"] == "slack.handler"
    assert properties["Events"]["Errors"]["Properties"] == {"Topic": {"Ref": "ErrorTopicArn"}}
