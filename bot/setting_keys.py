"""The App's private key: taken in every form in which people paste it, or refused with what it is instead."""

from __future__ import annotations

import base64
import re
from pathlib import Path

# Where the key is needed, and what to do if another thing is there.
_NEEDED = "the App's private key is needed; its settings page makes one and downloads it"
NO_KEY = (
    "this is no private key: neither in PEM format (-----BEGIN … PRIVATE KEY-----) nor base64 of one; "
    "download one from the App's settings page"
)
UNREADABLE = "this private key cannot be read; download a new one from the App's settings page"
CUT_OFF = "the end of this private key is missing (-----END … PRIVATE KEY-----); copy all of it"
ENCRYPTED = (
    "this private key is encrypted with a passphrase, and nobody can be asked for it; remove it with "
    "'openssl rsa -in KEY -out NEW_KEY', or download a new key from the App's settings page"
)
IS_PATH = "this is the path of a file, not a key; set PRIVATE_KEY_PATH to it instead"

_BLOCK = re.compile(r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>.*?)-----END (?P=label)-----", re.DOTALL)
# Some hosting platforms only take variables of one line, so line breaks are written as \n or \r\n, once or twice
# escaped.
_WRITTEN_OUT = re.compile(r"(?:\\+[rn])+")
_QUOTES = "\"'`\ufeff \t\r\n"
# Somebody encodes a key in base64, and the secret store of a platform does it once more.
_MOST_LAYERS = 2
_DER_SEQUENCE = b"\x30"
_PATH = re.compile(r"(?:~|\.{0,2}/|file:|[A-Za-z]:[\\/]).*|.*\.(?:pem|key|der|txt|crt|p8|pk8)", re.IGNORECASE)
_SSH = re.compile(r"(?:ssh-|ecdsa-sha2-|sk-)[a-z0-9@.-]+ |PuTTY-User-Key-File|---- BEGIN SSH2")
_KINDS = (("EC ", "an EC key"), ("DSA ", "a DSA key"), ("OPENSSH ", "an SSH key"), ("PGP ", "a PGP key"))


def read_key(data: bytes | str) -> str:
    """Return an RSA key in PEM format (PKCS #1), with a line break at its end.

    It may be given in PEM format (line breaks may be written out, lost, or blanks), in base64 of that, in DER, or in
    base64 of that. Raises ValueError with a sentence that says what it is instead, and never shows any of it.
    """
    for _ in range(_MOST_LAYERS + 1):
        if isinstance(data, bytes) and data.startswith(_DER_SEQUENCE):
            der = _whole(data)
            if der is not None:
                return _from_der(der)
        text = _text(data).strip(_QUOTES)
        if "-----BEGIN" in text:
            return _from_der(_der_of_block(_WRITTEN_OUT.sub("\n", text)))
        decoded = _base64(text)
        if decoded is None or not (decoded.startswith(_DER_SEQUENCE) or _may_be_text(decoded)):
            raise ValueError(_described(text))
        data = decoded
    raise ValueError(NO_KEY)


def _text(data: bytes | str) -> str:
    """Decode what is given; Windows tools write UTF-16 with a byte order mark."""
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8")
    except UnicodeDecodeError:
        raise ValueError(NO_KEY) from None


def _may_be_text(data: bytes) -> bool:
    return b"-----BEGIN" in data or data.isascii()


def _whole(data: bytes) -> bytes | None:
    """Return a DER sequence without what follows it (a line break, say); None if it is none, or cut off."""
    # https://www.itu.int/rec/T-REC-X.690: a length below 128 is one byte; else the byte says how many bytes follow.
    if len(data) < 2:
        return None
    size, start = data[1], 2
    if size >= 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
    return data[: start + size] if size and start + size <= len(data) else None


def _base64(text: str) -> bytes | None:
    """Decode base64 of either alphabet, wrapped or not; None if it is none."""
    packed = re.sub(r"(?:\\+[rn]|\s)+", "", text).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True) or None
    except ValueError:
        return None


def _der_of_block(text: str) -> bytes:
    """Return the bytes of the private key among the blocks of a PEM file."""
    blocks = list(_BLOCK.finditer(text))
    if not blocks:
        raise ValueError(CUT_OFF if "PRIVATE KEY-----" in text else NO_KEY)
    # A file of openssl's may have a certificate, or the parameters of an EC key, beside the key.
    block = next((one for one in blocks if "PRIVATE KEY" in one["label"]), blocks[0])
    label, body = block["label"], block["body"]
    if label.startswith("ENCRYPTED") or "ENCRYPTED" in body:
        raise ValueError(ENCRYPTED)
    if kind := next((kind for name, kind in _KINDS if label.startswith(name)), None):
        raise ValueError(f"this is {kind}; {_NEEDED}")
    if "CERTIFICATE" in label or "PUBLIC KEY" in label:
        raise ValueError(f"this is a {'certificate' if 'CERTIFICATE' in label else 'public key'}; {_NEEDED}")
    if not label.endswith("PRIVATE KEY"):
        raise ValueError(NO_KEY)
    der = _base64(body)
    if der is None:
        raise ValueError(UNREADABLE)
    return der


def _from_der(der: bytes) -> str:
    # These imports take 60 ms, and only `serve` needs them.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa  # noqa: PLC0415 - see above

    try:
        key = serialization.load_der_private_key(der, password=None)
    except TypeError:
        raise ValueError(ENCRYPTED) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(_other_der(der)) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        is_ec, is_dsa = isinstance(key, ec.EllipticCurvePrivateKey), isinstance(key, dsa.DSAPrivateKey)
        kind = "an EC key" if is_ec else "a DSA key" if is_dsa else "a key of another kind"
        raise ValueError(f"this is {kind}, and GitHub's are RSA keys; {_NEEDED}")  # noqa: TRY004 - a wrong text
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def _other_der(der: bytes) -> str:
    """Say what a DER sequence is that is no private key."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - only to say what is wrong
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415 - the same
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415 - the same

    for load, what in ((load_der_public_key, "public key"), (load_der_x509_certificate, "certificate")):
        try:
            load(der)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        return f"this is a {what}; {_NEEDED}"
    return UNREADABLE


def _described(text: str) -> str:
    """Say what a text is that holds no key."""
    if _SSH.match(text):
        return f"this is an SSH key; {_NEEDED}"
    if text.startswith("SHA256:"):
        return f"this is the fingerprint of a key; {_NEEDED}"
    return IS_PATH if _is_path(text) else NO_KEY


def _is_path(text: str) -> bool:
    if len(text) > 1000 or not text.isprintable():
        return False
    try:
        return bool(_PATH.fullmatch(text)) or Path(text).is_file()
    except (OSError, ValueError):
        return False
