"""Image references as text: `[registry[:port]/]repository[:tag][@digest]`.

The grammar and the normalization of names are those of https://github.com/distribution/reference.
"""

from __future__ import annotations

import difflib
import re

from bot.errors import EditError, NoReferenceError, Problem

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[A-Fa-f0-9:]+\])(?::[0-9]+)?"
_NAME = re.compile(rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*")
# Tag and digest are read more loosely than they are written: `app:+@sha256:short` is a reference to set right.
_REFERENCE = re.compile(rf"({_NAME.pattern}|\*)(?::([^@/{{}}$\s]+))?(?:@([^{{}}$\s]+))?")
_MAX_LENGTH = 1_000  # far more than a registry takes

_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")

_MOST_NAMES = 5  # that a sentence lists
_MOST_COMPARED = 1_000

_VARIES = re.compile(r"\{\{|\$")
_LEADING_VARIABLE = re.compile(r"(?:\{\{.*?\}\}|\$\{[^}]*\}|\$\w+)/?")
_VARIABLE_WITH_DEFAULT = re.compile(r"\$\{\w+:?-((?:\$\{[^}]*\}|[^}])*)\}")
_NAME_BEFORE_TAG = re.compile(rf"({_NAME.pattern})(?=[:@]|$)")


def is_name(text: str) -> bool:
    """Whether the text is an image name, without tag and digest."""
    return len(text) <= _MAX_LENGTH and _NAME.fullmatch(text) is not None


def read(text: str) -> tuple[str, str, str] | None:
    """Split a reference into name, tag and digest, each empty where there is none; None where it is no reference.

    The name `*` is kustomize's for "the name stays".
    """
    found = _REFERENCE.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    return (found[1], found[2] or "", found[3] or "") if found else None


def join(name: str, tag: str, digest: str) -> str:
    """Write a reference, or with an empty name the tag with its digest; what is empty is left out."""
    tagged = f"{name}:{tag}" if name and tag else name or tag
    return f"{tagged}@{digest}" if digest else tagged


def split(name: str) -> tuple[str, str]:
    """Split a name into registry and repository; the registry is empty where the name has none."""
    first, _, rest = name.partition("/")
    # An upper-case letter makes a registry too, as repositories have none.
    return (first, rest) if rest and (first == "localhost" or re.search(r"[.:A-Z]", first)) else ("", name)


def canonical(name: str) -> tuple[str, str]:
    """Return registry and repository in full: `nginx` and `docker.io/nginx` are both `docker.io`, `library/nginx`."""
    registry, repository = split(name)
    if registry in ("", "index.docker.io"):
        registry = "docker.io"
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository


def varies(text: str) -> bool:
    """Whether something else fills in a part of the text: a template (`{{ … }}`) or a variable (`${…}`)."""
    return _VARIES.search(text) is not None


def may_mean(text: str, name: str) -> bool:
    """Whether a text that is no reference, as a part varies or is malformed, has the image's name before its tag."""
    if len(text) > _MAX_LENGTH:
        return False
    if default := _VARIABLE_WITH_DEFAULT.fullmatch(text):
        text = default[1]
    leading = _LEADING_VARIABLE.match(text)
    found = _NAME_BEFORE_TAG.match(text, leading.end() if leading else 0)
    if found is None:
        return False
    registry, repository = canonical(name)
    if leading:
        return found[1] in (repository, repository.removeprefix("library/"))
    return canonical(found[1]) == (registry, repository)


def check(name: str, tag: str | None, digest: str | None) -> None:
    """Raise `EditError` with all that is wrong with what is asked for: no name, no tag, no digest, or neither given."""
    told: list[str] = []
    if not is_name(name):
        hint = "check it"
        if parts := read(name):
            hint = f"give {parts[0]!r} as the name, and its tag or digest by themselves"
        elif is_name(name.lower()):
            hint = "repository names are in lower case"
        told.append(f"{name!r} is no image name such as ghcr.io/org/app; {hint}")
    if tag is None and digest is None:
        told.append(f"neither a tag nor a digest is given for the image {name!r}; give one of them or both")
    if tag is not None and not _TAG.fullmatch(tag):
        told.append(f"{tag!r} is no tag: 1 to 128 letters, digits, `_`, `.` and `-`, and neither `.` nor `-` in front")
    if digest is not None and not _DIGEST.fullmatch(digest):
        told.append(f"{digest!r} is no digest such as `sha256:` and 64 digits of 0-9 and a-f (sha384: 96, sha512: 128)")
    if told:
        raise EditError([Problem(sentence) for sentence in told])


def not_there(name: str, others: list[str]) -> NoReferenceError:
    """Return the error that a file has no reference to `name`, with those of the `others` in it that are most alike."""
    told = f"the file has no reference to the image {name!r}"
    if not others:
        return NoReferenceError(f"{told}, nor to any other image")
    near = difflib.get_close_matches(name, others[:_MOST_COMPARED], _MOST_NAMES, 0)
    return NoReferenceError(f"{told}; it has {', '.join(near)}{', …' * (len(others) > len(near))}")
