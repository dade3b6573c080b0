"""The App's private key: every form in which people paste it, and what is said of other things."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bot import settings
from bot.errors import InputError
from bot.setting_keys import CUT_OFF, ENCRYPTED, IS_PATH, NO_KEY, UNREADABLE

if TYPE_CHECKING:
    from pathlib import Path

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PKCS1 = RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
PKCS8 = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
DER = RSA.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
DER8 = RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
KEY, KEY8 = PKCS1.decode(), PKCS8.decode()
PUBLIC = RSA.public_key()
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pointsman")])
CERTIFICATE = (
    x509.CertificateBuilder()
    .subject_name(NAME)
    .issuer_name(NAME)
    .public_key(PUBLIC)
    .serial_number(1)
    .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
    .sign(RSA, SHA256())
)
EC = ec.generate_private_key(ec.SECP256R1())
DSA = dsa.generate_private_key(2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def body(pem: str) -> str:
    """Return what stands between the first and the last line."""
    return "\n".join(pem.splitlines()[1:-1])


FORMS = {
    "as GitHub hands it out": KEY,
    "PKCS #8": KEY8,
    "without the last line break": KEY.strip(),
    "lines around": f"\n\n{KEY}\n\n",
    "CR LF": KEY.replace("\n", "\r\n"),
    "CR": KEY.replace("\n", "\r"),
    "written out": KEY.replace("\n", "\\n"),
    "CR LF written out": KEY.replace("\n", "\\r\\n"),
    "written out twice": KEY.replace("\n", "\\\\n"),
    "written out and real": KEY.replace("\n", "\\n\n"),
    "quoted": f'"{KEY}"',
    "quoted, written out": f"'{KEY8.strip()}\\n'".replace("\n", "\\n"),
    "quoted twice": f"\"'{KEY}'\"",
    "byte order mark": f"\ufeff{KEY}",
    "one line of blanks": KEY.replace("\n", " "),
    "one line": KEY.replace("\n", ""),
    "indented": KEY.replace("\n", "\n    "),
    "bag attributes": f"Bag Attributes\n    friendlyName: app\nKey Attributes: <No Attributes>\n{KEY8}",
    "certificate in front": f"{CERTIFICATE.public_bytes(Encoding.PEM).decode()}{KEY}",
    "with its name": f"PRIVATE_KEY={KEY}",
    "base64": b64(PKCS1),
    "base64, wrapped": base64.encodebytes(PKCS8).decode(),
    "base64, wrapped by CR LF": base64.encodebytes(PKCS1).decode().replace("\n", "\r\n"),
    "base64, wrapped and written out": base64.encodebytes(PKCS1).decode().replace("\n", "\\n"),
    "base64, quoted": f'"{b64(PKCS1)}"',
    "base64 for URLs": base64.urlsafe_b64encode(PKCS1).decode(),
    "base64 without padding": b64(PKCS1 + b"\n").rstrip("="),
    "base64 of one line": b64(KEY.replace("\n", "\\n").encode()),
    "base64 twice": b64(b64(PKCS1).encode()),
    "DER in base64": b64(DER),
    "PKCS #8 DER in base64, wrapped": base64.encodebytes(DER8).decode(),
    "without the first and the last line": body(KEY),
    "DER in base64 twice": b64(b64(DER8).encode()),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_taken_in_every_form_in_which_people_paste_it(form: str, tmp_path: Path) -> None:
    """All are the same key to the bot, from the environment and from a file."""
    path = tmp_path / "key"
    path.write_bytes(FORMS[form].encode())
    assert loaded(PRIVATE_KEY=FORMS[form]) == loaded(PRIVATE_KEY_PATH=str(path)) == KEY


@pytest.mark.parametrize("data", [DER, DER8, DER + b"\n", KEY.encode("utf-16")], ids=["1", "8", "line break", "UTF-16"])
def test_a_file_may_have_the_key_in_der_or_utf_16(data: bytes, tmp_path: Path) -> None:
    """Bytes that no variable could have."""
    path = tmp_path / "key"
    path.write_bytes(data)
    assert loaded(PRIVATE_KEY_PATH=str(path)) == KEY


NEEDED = "the App's private key is needed; its settings page makes one and downloads it"
PASSWORD = BestAvailableEncryption(b"x")
OTHERS: dict[str, tuple[bytes | str, str]] = {
    "PKCS #1, encrypted": (RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, PASSWORD), ENCRYPTED),
    "PKCS #8, encrypted": (RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PASSWORD), ENCRYPTED),
    "DER, encrypted": (b64(RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, PASSWORD)), ENCRYPTED),
    "public": (
        PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        f"this is a public key; {NEEDED}",
    ),
    "public, PKCS #1": (PUBLIC.public_bytes(Encoding.PEM, PublicFormat.PKCS1), f"this is a public key; {NEEDED}"),
    "public, DER": (
        b64(PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
        f"this is a public key; {NEEDED}",
    ),
    "certificate": (CERTIFICATE.public_bytes(Encoding.PEM), f"this is a certificate; {NEEDED}"),
    "certificate, DER": (b64(CERTIFICATE.public_bytes(Encoding.DER)), f"this is a certificate; {NEEDED}"),
    "SSH": (
        RSA.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        f"this is an SSH key; {NEEDED}",
    ),
    "SSH, public": (
        PUBLIC.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        f"this is an SSH key; {NEEDED}",
    ),
    "EC": (
        EC.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        f"this is an EC key; {NEEDED}",
    ),
    "EC, PKCS #8": (
        EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        f"this is an EC key, and GitHub's are RSA keys; {NEEDED}",
    ),
    "DSA": (
        DSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        f"this is a DSA key, and GitHub's are RSA keys; {NEEDED}",
    ),
    "Ed25519": (
        ED25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        f"this is a key of another kind, and GitHub's are RSA keys; {NEEDED}",
    ),
    "cut off": (KEY[:800], CUT_OFF),
    "with a hole": (KEY[:300] + KEY[400:], UNREADABLE),
    "base64 with a hole": (b64(DER)[:300] + b64(DER)[400:], NO_KEY),
    "path": ("/run/secrets/app.pem", IS_PATH),
    "relative path": ("keys/app.private-key.pem", IS_PATH),
    "path of the home": ("~/app", IS_PATH),
    "path of Windows": (r"C:\keys\new", IS_PATH),
    "a file that is there": (__file__, IS_PATH),
    "fingerprint": ("SHA256:AAAA", f"this is the fingerprint of a key; {NEEDED}"),
    "password": ("hunter2", NO_KEY),
    "base64 of a password": (b64(b"hunter2 and more"), NO_KEY),
    "JSON": ('{"kty": "RSA"}', NO_KEY),
    "other letters": ("пароль \udce9", NO_KEY),
    "parameters": ("-----BEGIN DH PARAMETERS-----\nMAA=\n-----END DH PARAMETERS-----", NO_KEY),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_key_is_refused_by_what_it_is(what: str) -> None:
    """One sentence with what to do, and nothing of the text in it."""
    text, sentence = OTHERS[what]
    with pytest.raises(InputError) as caught:
        loaded(PRIVATE_KEY=text if isinstance(text, str) else text.decode())
    assert str(caught.value) == f"PRIVATE_KEY: {sentence}"


def loaded(**variables: str) -> str:
    return settings.load({"APP_ID": "1", "WEBHOOK_SECRET": "a secret of the tests", **variables}).private_key
