"""Who may post: every scheme lets the right request in, and nothing that is nearly right."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from tocsin.web.auth import (
    Basic,
    Bearer,
    Certificate,
    Field,
    Header,
    Hmac,
    Open,
    Parameter,
    Scheme,
    allowed,
    needs_body,
)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
BODY = b'{"resource": "db01"}'
STAMP = str(int(NOW.timestamp()))


def signature(text: bytes = BODY, secret: bytes = b"s3cret") -> str:
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


def basic(credentials: str) -> str:
    return "Basic " + b64encode(credentials.encode()).decode()


BEARER = Bearer(b"t0ken")
HEADER = Header("X-Api-Key", b"t0ken")
BASIC = Basic(b"grafana", "mot:de:passé".encode())
HMAC = Hmac("X-Hub-Signature-256", b"s3cret")
BARE = Hmac("X-Signature", b"s3cret", prefix="")
STAMPED = Hmac("X-Signature", b"s3cret", prefix="", timestamp="X-Timestamp", skew=timedelta(minutes=5))


def stamped(stamp: str, signed: str | None = None) -> list[tuple[str, str]]:
    text = (stamp if signed is None else signed).encode() + b":" + BODY
    return [("X-Timestamp", stamp), ("X-Signature", signature(text))]


GENIE = Bearer(b"t0ken", "GenieKey")
SHA1 = Hmac("X-Signature", b"s3cret", prefix="sha1=", algorithm="sha1")
BASE64 = Hmac("X-Signature", b"s3cret", prefix="", algorithm="sha512", encoding="base64")
DOTTED = Hmac("X-Signature", b"s3cret", prefix="", timestamp="X-Timestamp", separator=".")
PARAMETER = Parameter("token", b"t0ken")
FIELD = Field("routing_key", b"t0ken")


def digest(algorithm: str, text: bytes = BODY) -> bytes:
    return hmac.new(b"s3cret", text, algorithm).digest()


RIGHT = [
    pytest.param(GENIE, [("Authorization", "GenieKey t0ken")], id="another word"),
    pytest.param(GENIE, [("Authorization", "geniekey t0ken")], id="another word in small letters"),
    pytest.param(SHA1, [("X-Signature", "sha1=" + digest("sha1").hex())], id="hmac sha1"),
    pytest.param(BASE64, [("X-Signature", b64encode(digest("sha512")).decode())], id="hmac sha512 in base64"),
    pytest.param(
        DOTTED,
        [("X-Timestamp", STAMP), ("X-Signature", digest("sha256", STAMP.encode() + b"." + BODY).hex())],
        id="hmac with a point after the time",
    ),
    pytest.param(BEARER, [("Authorization", "Bearer t0ken")], id="bearer"),
    pytest.param(BEARER, [("authorization", "bearer  t0ken ")], id="bearer in small letters"),
    pytest.param(HEADER, [("x-api-key", "t0ken")], id="header"),
    pytest.param(BASIC, [("Authorization", basic("grafana:mot:de:passé"))], id="basic"),
    pytest.param(HMAC, [("X-Hub-Signature-256", "sha256=" + signature())], id="hmac"),
    pytest.param(HMAC, [("X-Hub-Signature-256", "sha256=" + signature().upper())], id="hmac in capitals"),
    pytest.param(BARE, [("X-Signature", signature())], id="hmac without prefix"),
    pytest.param(STAMPED, stamped(STAMP), id="hmac with time"),
    pytest.param(STAMPED, stamped(str(int(STAMP) - 300)), id="hmac with a time just late enough"),
    pytest.param(STAMPED, stamped(str(int(STAMP) + 300)), id="hmac with a time just early enough"),
    pytest.param(Open(), [], id="open"),
]
WRONG = [
    pytest.param(GENIE, [("Authorization", "Bearer t0ken")], id="another word: bearer"),
    pytest.param(SHA1, [("X-Signature", "sha1=" + digest("sha256").hex())], id="hmac: another hash"),
    pytest.param(BASE64, [("X-Signature", digest("sha512").hex())], id="hmac: hexadecimal for base64"),
    pytest.param(
        BASE64, [("X-Signature", b64encode(digest("sha512")).decode().lower())], id="hmac: base64 in small letters"
    ),
    pytest.param(DOTTED, stamped(STAMP), id="hmac: a colon after the time"),
    pytest.param(PARAMETER, [], id="parameter: none"),
    pytest.param(PARAMETER, [("token", "t0ken")], id="parameter: in a header"),
    pytest.param(BEARER, [], id="bearer: none"),
    pytest.param(BEARER, [("Authorization", "")], id="bearer: empty"),
    pytest.param(BEARER, [("Authorization", "Bearer")], id="bearer: no token"),
    pytest.param(BEARER, [("Authorization", "Bearer ")], id="bearer: empty token"),
    pytest.param(BEARER, [("Authorization", "Bearer t0keN")], id="bearer: other case"),
    pytest.param(BEARER, [("Authorization", "Bearer t0ken2")], id="bearer: longer"),
    pytest.param(BEARER, [("Authorization", "Bearer t0ke")], id="bearer: shorter"),
    pytest.param(BEARER, [("Authorization", "Bearer t0ken x")], id="bearer: two tokens"),
    pytest.param(BEARER, [("Authorization", "t0ken")], id="bearer: no word"),
    pytest.param(BEARER, [("Authorization", "Basic t0ken")], id="bearer: another word"),
    pytest.param(BEARER, [("Authorization", "Bearer t0ken")] * 2, id="bearer: given twice"),
    pytest.param(BEARER, [("Authorization", "Bearer t0kén")], id="bearer: not ASCII"),
    pytest.param(BEARER, [("Authorization", "Bearer t0ken\udce9")], id="bearer: raw bytes"),
    pytest.param(HEADER, [("X-Api-Key2", "t0ken")], id="header: another name"),
    pytest.param(HEADER, [("X-Api-Key", "")], id="header: empty"),
    pytest.param(HEADER, [("X-Api-Key", "t0ken"), ("x-api-key", "no")], id="header: given twice"),
    pytest.param(BASIC, [("Authorization", basic("grafana:"))], id="basic: no password"),
    pytest.param(BASIC, [("Authorization", basic("grafana:mot"))], id="basic: cut password"),
    pytest.param(BASIC, [("Authorization", basic("grafan:amot:de:passé"))], id="basic: colon elsewhere"),
    pytest.param(BASIC, [("Authorization", basic("other:mot:de:passé"))], id="basic: another user"),
    pytest.param(BASIC, [("Authorization", "Basic !!!!")], id="basic: not base64"),
    pytest.param(BASIC, [("Authorization", "Basic Z3J")], id="basic: cut base64"),
    pytest.param(
        BASIC, [("Authorization", basic("grafana:mot:de:passé").replace("Z", "Z!", 1))], id="basic: junk inside"
    ),
    pytest.param(BASIC, [("Authorization", "Basic grafana:mot:de:passé")], id="basic: in clear"),
    pytest.param(HMAC, [], id="hmac: none"),
    pytest.param(HMAC, [("X-Hub-Signature-256", signature())], id="hmac: prefix missing"),
    pytest.param(HMAC, [("X-Hub-Signature-256", "sha1=" + signature())], id="hmac: another prefix"),
    pytest.param(HMAC, [("X-Hub-Signature-256", "sha256=")], id="hmac: empty"),
    pytest.param(HMAC, [("X-Hub-Signature-256", "sha256=" + signature(BODY + b" "))], id="hmac: another body"),
    pytest.param(HMAC, [("X-Hub-Signature-256", "sha256=" + signature(secret=b"x"))], id="hmac: another secret"),
    pytest.param(HMAC, [("X-Hub-Signature-256", "sha256=" + signature())] * 2, id="hmac: given twice"),
    pytest.param(STAMPED, stamped(STAMP)[1:], id="hmac with time: no time"),
    pytest.param(STAMPED, stamped(STAMP)[:1], id="hmac with time: no signature"),
    pytest.param(STAMPED, stamped(STAMP, signed=""), id="hmac with time: time not signed"),
    pytest.param(STAMPED, [("X-Timestamp", STAMP), ("X-Signature", signature())], id="hmac with time: body alone"),
    pytest.param(STAMPED, stamped(str(int(STAMP) - 301)), id="hmac with time: too old"),
    pytest.param(STAMPED, stamped(str(int(STAMP) + 301)), id="hmac with time: too far ahead"),
    pytest.param(STAMPED, stamped("-" + STAMP), id="hmac with time: negative"),
    pytest.param(STAMPED, stamped("1e9"), id="hmac with time: no integer"),
    pytest.param(STAMPED, stamped("9" * 5_000), id="hmac with time: huge"),
]


@pytest.mark.parametrize(("scheme", "headers"), RIGHT)
def test_who_proves_it_is_let_in(scheme: Scheme, headers: list[tuple[str, str]]) -> None:
    assert allowed(scheme, CIMultiDict(headers), BODY, NOW) is True


@pytest.mark.parametrize(("scheme", "headers"), WRONG)
def test_who_nearly_proves_it_is_not(scheme: Scheme, headers: list[tuple[str, str]]) -> None:
    assert allowed(scheme, CIMultiDict(headers), BODY, NOW) is False


@pytest.mark.parametrize("scheme", [BEARER, HEADER, BASIC, HMAC, STAMPED])
@given(st.lists(st.tuples(st.sampled_from(["Authorization", "X-Api-Key", "X-Signature", "X-Timestamp"]), st.text())))
def test_no_header_lets_in_by_chance_or_breaks_anything(scheme: Scheme, headers: list[tuple[str, str]]) -> None:
    assert allowed(scheme, CIMultiDict(headers), BODY, NOW) is False


@pytest.mark.parametrize("scheme", [BEARER, HEADER, BASIC, HMAC, STAMPED, Open()])
def test_only_a_signature_needs_the_body(scheme: Scheme) -> None:
    assert needs_body(scheme) is isinstance(scheme, Hmac)


@pytest.mark.parametrize("scheme", [BEARER, HEADER, BASIC, HMAC, STAMPED])
def test_a_secret_is_never_shown(scheme: Scheme) -> None:
    assert not any(secret in repr(scheme) for secret in ("t0ken", "passé", "mot", "s3cret"))


def test_an_empty_secret_is_refused_where_it_is_given() -> None:
    for make in (lambda: Bearer(b""), lambda: Header("X", b""), lambda: Basic(b"u", b""), lambda: Hmac("X", b"")):
        with pytest.raises(ValueError, match=r"empty: give it the content of its secret file"):
            make()


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({"token": "t0ken"}, True),
        ({"token": "t0ken", "x": "1"}, True),
        ({"token": "t0kem"}, False),
        ({"token": ""}, False),
        ({"token": "t0kén"}, False),
        ({"token": "\udce9"}, False),
        ({"Token": "t0ken"}, False),
        ({}, False),
    ],
)
def test_a_token_in_the_address_is_asked_for_by_its_name(given: dict[str, str], answer: bool) -> None:  # noqa: FBT001
    assert allowed(PARAMETER, CIMultiDict(), b"", NOW, given) is answer


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"routing_key": "t0ken", "event_action": "trigger"}', True),
        (b"routing_key=t0ken&event_action=trigger", True),
        (b'{"routing_key": "t0kem"}', False),
        (b'{"routing_key": ""}', False),
        (b'{"routing_key": null}', False),
        (b'{"routing_key": ["t0ken"]}', False),
        (b'{"payload": {"routing_key": "t0ken"}}', False),
        (b'[{"routing_key": "t0ken"}]', False),
        (b"routing_key=t0ken&routing_key=other", False),
        (b"routing_key=", False),
        (b"", False),
        (b"\xff", False),
        (b"[" * 100_000, False),
    ],
)
def test_a_token_in_the_body_stands_at_its_top(body: bytes, answer: bool) -> None:  # noqa: FBT001
    assert needs_body(FIELD)
    assert allowed(FIELD, CIMultiDict(), body, NOW) is answer


@given(body=st.binary())
def test_a_token_in_the_body_is_looked_for_in_anything(body: bytes) -> None:
    assert allowed(FIELD, CIMultiDict(), body, NOW) is False


def test_a_message_that_signs_itself_is_let_in_to_be_read() -> None:
    assert not needs_body(Certificate(()))
    assert allowed(Certificate(()), CIMultiDict(), b"", NOW)
