"""``TASKS_API_AUTHENTICATION = "oidc"``: an issuer on this machine, its keys made here."""

import base64
import hashlib
import hmac
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core import mail
from django.core.checks import run_checks
from django.test import Client

from django_integration.web.auth import oidc
from django_integration.web.auth.jwks import IssuerUnreachable, KeySet
from serverless_tasks.testing import MovableClock
from tests.django.conftest import queued
from tests.django.mailing.notifications import EmailNotificationTask
from tests.django.shop.background import Resize

RUN = f"/tasks/{EmailNotificationTask.name}/run"
PARAMS = {"subject": "Hello", "content": "Have a nice day", "recipients": ["alice@example.com"]}
AUDIENCE = "https://shop.example.com"
ROBOT = "robot@project.iam.example.com"
RSA = rsa.generate_private_key(65537, 2048)
STRANGER = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())


class Issuer:
    """Serves its configuration and keys, and counts how often it was asked."""

    def __init__(self) -> None:
        self.keys = [public("one", RSA)]
        self.asked = 0
        self.down = False
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if issuer.down:
                    self.send_error(500)
                    return
                if self.path == "/keys":
                    issuer.asked += 1
                    body: Any = {"keys": issuer.keys}
                else:
                    body = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: Any) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def token(self, *, key: Any = RSA, kid: str = "one", alg: str = "RS256", **changed: Any) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "iat": now, "exp": now + 300, "sub": "1"}
        claims |= {"email": ROBOT, "email_verified": True}
        chosen = {name: value for name, value in (claims | changed).items() if value is not None}
        return jwt.encode(chosen, key, algorithm=alg, headers={"kid": kid})


def public(kid: str, key: Any, **more: Any) -> dict[str, Any]:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": kid, "use": "sig"} | more


@pytest.fixture
def issuer(settings: Any) -> Iterator[Issuer]:
    issuer = Issuer()
    thread = threading.Thread(target=issuer.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.TASKS_API_AUTHENTICATION = "oidc"
    settings.TASKS_API_OIDC_ISSUER = issuer.url
    settings.TASKS_API_OIDC_AUDIENCE = AUDIENCE
    oidc.keys.cache_clear()
    yield issuer
    issuer.server.shutdown()
    thread.join()
    issuer.server.server_close()


def run(token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return Client().post(RUN, PARAMS, content_type="application/json", headers=headers)


def refused(answer: Any) -> bool:
    return (
        answer.status_code == 401
        and answer["WWW-Authenticate"].startswith("Bearer")
        and (mail.outbox, queued()) == ([], [])
    )


def test_a_good_token_runs_the_task(issuer: Issuer) -> None:
    answer = run(issuer.token())
    assert answer.status_code == 200, answer.content
    assert len(mail.outbox) == 1


def test_other_kinds_of_keys_and_audiences_are_taken(issuer: Issuer, settings: Any) -> None:
    settings.TASKS_API_OIDC_AUDIENCE = ["https://other.example.com", AUDIENCE]
    issuer.keys.append(public("two", CURVE))
    assert run(issuer.token(key=CURVE, kid="two", alg="ES256")).status_code == 200


def test_the_keys_are_asked_for_once(issuer: Issuer) -> None:
    for _ in range(3):
        assert run(issuer.token()).status_code == 200
    assert issuer.asked == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": int(time.time()) - 120},
        {"exp": None},
        {"iat": None},
        {"nbf": int(time.time()) + 86_400},
        {"aud": "https://other.example.com"},
        {"aud": None},
        {"iss": "https://accounts.google.com"},
        {"iss": None},
        {"key": STRANGER},
        {"kid": "unknown"},
    ],
    ids=lambda changed: next(
        f"{name} {'missing' if value is None else ''}" for name, value in changed.items()
    ),
)
def test_a_token_that_is_not_good_is_refused(issuer: Issuer, changed: dict[str, Any]) -> None:
    assert refused(run(issuer.token(**changed)))


def test_a_little_late_is_on_time(issuer: Issuer) -> None:
    assert run(issuer.token(exp=int(time.time()) - 5)).status_code == 200


def part(value: Any) -> bytes:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=")


def forged(issuer: Issuer, alg: str, sign: Callable[[bytes], bytes]) -> str:
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    text = part({"alg": alg, "typ": "JWT", "kid": "one"}) + b"." + part(claims)
    return (text + b"." + part(sign(text))).decode()


@pytest.mark.parametrize("alg", ["none", "None", "NONE"])
def test_no_signature_is_refused(issuer: Issuer, alg: str) -> None:
    assert refused(run(forged(issuer, alg, lambda text: b"")))


@pytest.mark.parametrize("form", [PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1])
def test_a_secret_made_of_the_public_key_is_refused(issuer: Issuer, form: Any) -> None:
    secret = RSA.public_key().public_bytes(Encoding.PEM, form)
    token = forged(issuer, "HS256", lambda text: hmac.digest(secret, text, hashlib.sha256))
    assert refused(run(token))


def test_a_symmetric_key_of_the_issuer_is_no_key(issuer: Issuer) -> None:
    secret = b"x" * 32
    issuer.keys.append({"kty": "oct", "kid": "shared", "k": part(secret).decode(), "alg": "HS256"})
    assert refused(run(issuer.token(key=secret, kid="shared", alg="HS256")))


def test_an_algorithm_other_than_the_keys_own_is_refused(issuer: Issuer) -> None:
    issuer.keys = [public("one", RSA, alg="RS256")]
    assert refused(run(issuer.token(alg="RS512")))
    assert run(issuer.token()).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 20_000, "\N{SNOWMAN}"])
def test_what_is_no_token_is_refused(issuer: Issuer, token: str) -> None:
    assert refused(run(token))


def test_without_a_token_it_is_refused(issuer: Issuer) -> None:
    assert refused(Client().post(RUN, PARAMS, content_type="application/json"))


class TestAccounts:
    @pytest.mark.parametrize(
        ("changed", "status"),
        [
            ({}, 200),
            ({"email": "mallory@example.com"}, 403),
            ({"email_verified": False}, 403),
            ({"email": None}, 403),
        ],
    )
    def test_only_those_listed_may_call(
        self, issuer: Issuer, settings: Any, changed: dict[str, Any], status: int
    ) -> None:
        settings.TASKS_API_OIDC_EMAILS = [ROBOT]
        assert run(issuer.token(**changed)).status_code == status


def test_an_issuer_out_of_reach_is_503(issuer: Issuer) -> None:
    issuer.down = True
    answer = run(issuer.token())
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")


def test_google_is_the_issuer_unless_another_is_named(settings: Any) -> None:
    settings.TASKS_API_OIDC_AUDIENCE = AUDIENCE
    trusted = oidc.trust()
    assert trusted.issuers == ("https://accounts.google.com", "accounts.google.com")


def test_what_is_open_is_said_before_it_is_deployed(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def ids() -> list[str | None]:
        return [check.id for check in run_checks(tags=["serverless_tasks"], include_deployment_checks=True)]

    settings.TASKS_API_AUTHENTICATION = None
    assert ids() == ["serverless_tasks.W003"]
    settings.TASKS_API_AUTHENTICATION = "oidc"
    settings.TASKS_API_OIDC_AUDIENCE = AUDIENCE
    assert ids() == ["serverless_tasks.W004"]
    with monkeypatch.context() as opened:
        opened.setattr(Resize, "TASKS_API_AUTHENTICATION", None, raising=False)
        assert ids() == ["serverless_tasks.W003", "serverless_tasks.W004"]
    settings.TASKS_API_OIDC_EMAILS = ROBOT
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TASKS_API_OIDC_AUDIENCE", None),
        ("TASKS_API_OIDC_AUDIENCE", 5),
        ("TASKS_API_OIDC_ISSUER", "accounts"),
        ("TASKS_API_OIDC_LEEWAY", -1),
        ("TASKS_API_OIDC_EMAILS", []),
        ("TASKS_API_AUTHENTICATION", "shop.auth.Missing"),
    ],
)
def test_a_wrong_setting_is_a_check_error(issuer: Issuer, settings: Any, name: str, value: Any) -> None:
    setattr(settings, name, value)
    (error,) = run_checks(tags=["serverless_tasks"])
    assert (error.id, name in error.msg) == ("serverless_tasks.E007", True)


@pytest.mark.parametrize("library", ["jwt", "cryptography"])
def test_a_missing_library_is_a_check_error(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    for module in ("django_integration.web.auth.oidc", "django_integration.web.auth.jwks"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    (error,) = run_checks(tags=["serverless_tasks"])
    assert (error.id, "serverless-tasks[oidc]" in error.msg) == ("serverless_tasks.E007", True)


class TestKeys:
    """When the issuer is asked; `KeySet` says the rules."""

    @pytest.fixture
    def clock(self) -> MovableClock:
        return MovableClock()

    @pytest.fixture
    def keys(self, issuer: Issuer, clock: MovableClock) -> KeySet:
        return KeySet(issuer.url, clock=clock)

    def test_a_new_key_is_found(self, issuer: Issuer, keys: KeySet, clock: MovableClock) -> None:
        assert keys.find("one")
        issuer.keys = [public("two", CURVE)]
        clock.move(31)
        assert keys.find("two")
        assert keys.find("one") is None

    def test_unknown_keys_do_not_make_it_ask_without_end(
        self, issuer: Issuer, keys: KeySet, clock: MovableClock
    ) -> None:
        for number in range(100):
            assert keys.find(f"unknown {number}") is None
        assert issuer.asked == 1
        clock.move(31)
        assert keys.find("unknown") is None
        assert issuer.asked == 2

    def test_they_are_asked_for_again_after_an_hour(
        self, issuer: Issuer, keys: KeySet, clock: MovableClock
    ) -> None:
        assert keys.find("one")
        clock.move(3_601)
        assert keys.find("one")
        assert issuer.asked == 2

    def test_those_of_an_issuer_out_of_reach_serve_for_a_day(
        self, issuer: Issuer, keys: KeySet, clock: MovableClock
    ) -> None:
        assert keys.find("one")
        issuer.down = True
        clock.move(80_000)
        assert keys.find("one")
        clock.move(7_000)
        with pytest.raises(IssuerUnreachable):
            keys.find("one")

    def test_plain_http_is_for_this_machine_alone(self) -> None:
        with pytest.raises(IssuerUnreachable, match="is not an https URL"):
            KeySet("http://issuer.example.com").find("one")

    def test_another_issuers_configuration_is_refused(self, issuer: Issuer) -> None:
        with pytest.raises(IssuerUnreachable, match="configuration is for"):
            KeySet(f"{issuer.url}/").find("one")
