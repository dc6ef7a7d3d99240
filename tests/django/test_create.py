"""POST /tasks/."""

import json


def post(client, body, **extra):
    text = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.post("/tasks/", text, content_type="application/json", **extra)


def test_a_task_is_submitted_run_and_served(browser, work, user):
    created = post(browser, {"task": "sum", "inputs": {"numbers": [1, "2"]}})
    assert created.status_code == 201, created.content
    body = created.json()
    assert body["status"] == "pending"
    assert created["Location"] == f"/tasks/{body['uuid']}/"
    assert work() == 1
    record = browser.get(created["Location"]).json()
    assert record["status"] == "succeeded"
    assert record["outputs"] == {"sum": 3}
