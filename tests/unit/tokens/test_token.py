"""Tokens: what is signed is what is read, and nothing else is."""

import json
import subprocess
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from serverless_tasks.engine.tokens.keys import FixedKeys, Key
from serverless_tasks.engine.tokens.token import Token, bearer_of, digest, expiry, job_token
from serverless_tasks.errors import ConfigurationError, InvalidToken, TokenExpired

UUID = "0b9f7a52-6a1c-4a3e-9c53-1d2f3a4b5c6d"
NEW, OLD = "n" * 32, "o" * 32
KEYS = FixedKeys([NEW])
NOW = 1_767_225_600.0


def token(**changed: object) -> str:
    return job_token(UUID, **{"minutes": 15, "allow": ["read"], "keys": KEYS, "now": NOW} | changed)  # type: ignore[arg-type]


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def test_what_was_signed_is_read() -> None:
    read = Token.read(token(allow={"cancel", "read"}), KEYS, NOW)
    assert read == Token(uuid=UUID, allow=frozenset({"read", "cancel"}), expires=int(NOW) + 900)


def test_it_fits_a_header_and_a_url_safe_alphabet() -> None:
    text = token()
    assert len(text) < 200
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_it_ends_to_the_second() -> None:
    text = token(minutes=1)
    assert Token.read(text, KEYS, NOW + 59.9).uuid == UUID
    with pytest.raises(TokenExpired, match="get a new one"):
        Token.read(text, KEYS, NOW + 60)


def test_no_character_of_it_can_be_another() -> None:
    text = token()
    for place, letter in enumerate(text):
        for other in ("A", "B", ".", "=", " ", "é"):
            changed = text[:place] + other + text[place + 1 :]
            if other != letter:
                with pytest.raises(InvalidToken):
                    Token.read(changed, KEYS, NOW)


@pytest.mark.parametrize(
    "text", ["", "stt1.", "stt1...", "stt1.a.b.c.d", "stt1." + "x" * 10_000, "stt2.a.b.c"]
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        Token.read(text, KEYS, NOW)


def test_another_payload_needs_another_signature() -> None:
    head, key, payload, signature = token().split(".")
    wider = json.loads(urlsafe_b64decode(payload + "==")) | {"a": "rcs", "e": 9_999_999_999}
    text = f"{head}.{key}.{encoded(json.dumps(wider).encode())}.{signature}"
    with pytest.raises(InvalidToken, match="changed"):
        Token.read(text, KEYS, NOW)


def test_a_key_that_was_replaced_is_accepted_while_it_is_listed() -> None:
    old = token(keys=FixedKeys([OLD]))
    assert Token.read(old, FixedKeys([NEW, OLD]), NOW).uuid == UUID
    with pytest.raises(InvalidToken, match="no longer"):
        Token.read(old, FixedKeys([NEW]), NOW)
    assert token(keys=FixedKeys([NEW, OLD])) == token()


def test_a_signature_of_another_key_under_a_known_id_is_refused() -> None:
    signed, _, _ = token().rpartition(".")
    forged = f"{signed}.{encoded(Key.of(OLD).sign(signed.encode()))}"
    with pytest.raises(InvalidToken, match="changed"):
        Token.read(forged, KEYS, NOW)


def test_keys_are_in_no_text_and_not_too_short() -> None:
    assert NEW not in repr(Key.of(NEW))
    assert Key.of(NEW).secret.hex() not in repr(Key.of(NEW))
    with pytest.raises(ConfigurationError, match="32 or more") as refused:
        FixedKeys(["hush"])
    assert "hush" not in str(refused.value)
    with pytest.raises(ConfigurationError, match="TOKEN_KEYS"):
        FixedKeys([])


@pytest.mark.parametrize("minutes", [0, -1, 1441, True, "15", float("nan")])
def test_minutes_are_few(minutes: float) -> None:
    with pytest.raises(ValueError, match="1440"):
        expiry(minutes, NOW)


@pytest.mark.parametrize("allow", [[], "write", ["read", "submit"], ""])
def test_a_jobs_token_allows_to_read_and_to_cancel_alone(allow: object) -> None:
    with pytest.raises(ValueError, match="'read', 'cancel'"):
        token(allow=allow)


def test_it_covers_its_job_and_the_members_of_it() -> None:
    read = Token.read(token(), KEYS, NOW)
    assert read.covers(UUID, None)
    assert read.covers("another", UUID)
    assert not read.covers("another", None)
    assert not read.covers("another", "another group")


def test_one_that_is_alone_leaves_out_the_members() -> None:
    made = Token(uuid=UUID, allow=frozenset({"read"}), expires=int(NOW) + 900, alone=True)
    read = Token.read(made.signed(KEYS), KEYS, NOW)
    assert read == made
    assert read.covers(UUID, None)
    assert not read.covers("another", UUID)


def test_what_a_newer_version_allows_is_left_out() -> None:
    key = Key.of(NEW)
    payload = encoded(json.dumps({"j": UUID, "a": "rx", "e": NOW + 9, "z": 1}).encode())
    signed = f"stt1.{key.id}.{payload}"
    read = Token.read(f"{signed}.{encoded(key.sign(signed.encode()))}", KEYS, NOW)
    assert read.allow == {"read"}


def test_inputs_are_compared_whatever_their_order() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"b": [1, 2]}) != digest({"b": [2, 1]})


def test_other_bearer_tokens_are_the_sites_own() -> None:
    assert bearer_of("bearer  stt1.a.b.c ") == "stt1.a.b.c"
    for header in (None, "", "Bearer", "Bearer eyJhbGciOi.J9.x", "Token stt1.a.b.c", "stt1.a.b.c"):
        assert bearer_of(header) is None


def test_a_process_that_uses_no_tokens_loads_none_of_it() -> None:
    script = (
        "import sys, serverless_tasks, serverless_tasks.engine.worker.runner\n"
        "print([name for name in sys.modules if 'engine.tokens' in name or name.endswith('token_keys')])"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
