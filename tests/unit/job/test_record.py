from serverless_tasks.engine.job.record import NEUTRAL_MESSAGE, EndedAttempt, Failure, Record, iso

FIELDS = [
    "uuid",
    "task",
    "status",
    "progress",
    "target",
    "outputs",
    "messages",
    "error",
    "attempt",
    "created",
    "started",
    "finished",
]
SECRET = Failure(type="ValueError", message="the password is x", public=False, traceback="Traceback")


def a_record(**given: object) -> Record:
    return Record(uuid="u", task="sum", created=1_767_225_600_000, **given)  # type: ignore[arg-type]


def test_the_json_of_a_new_job() -> None:
    assert a_record(owner="7").to_json() == {
        "uuid": "u",
        "task": "sum",
        "status": "pending",
        "progress": 0,
        "target": None,
        "outputs": {},
        "messages": [],
        "error": None,
        "attempt": 0,
        "created": "2026-01-01T00:00:00.000Z",
        "started": None,
        "finished": None,
    }


def test_the_json_has_nothing_that_is_for_operators() -> None:
    record = a_record(
        status="failed",
        owner="7",
        request_id="r",
        failure=SECRET,
        history=(EndedAttempt(number=1, started=0, ended=1, failure=SECRET),),
    )

    assert list(record.to_json()) == FIELDS
    assert "Traceback" not in str(record.to_json(reveal=True))


def test_of_an_error_that_is_not_public_the_type_is_shown_and_a_neutral_sentence() -> None:
    assert a_record(status="failed", failure=SECRET).to_json()["error"] == {
        "type": "ValueError",
        "message": NEUTRAL_MESSAGE,
    }


def test_a_public_error_shows_its_text() -> None:
    failure = Failure(type="TooFewNumbers", message="Give two numbers.")

    assert a_record(status="failed", failure=failure).error == {
        "type": "TooFewNumbers",
        "message": "Give two numbers.",
    }


def test_operators_see_every_text() -> None:
    assert (
        a_record(status="failed", failure=SECRET).to_json(reveal=True)["error"]["message"] == SECRET.message
    )


def test_a_request_to_stop_shows_while_it_lasts() -> None:
    assert a_record(status="running", cancel_requested=True).to_json()["cancel_requested"] is True
    assert "cancel_requested" not in a_record(status="running").to_json()
    assert "cancel_requested" not in a_record(status="cancelled", cancel_requested=True).to_json()


def test_only_terminal_states_have_ended() -> None:
    ended = [
        a_record(status=status).ended for status in ("pending", "running", "succeeded", "failed", "cancelled")
    ]

    assert ended == [False, False, True, True, True]


def test_times_are_utc_with_milliseconds() -> None:
    assert iso(1_767_225_600_001) == "2026-01-01T00:00:00.001Z"
    assert iso(0) == "1970-01-01T00:00:00.000Z"
    assert iso(None) is None
