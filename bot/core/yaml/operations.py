"""What an edit may ask of a YAML file, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from bot.core.model import Json


@dataclass(frozen=True, slots=True)
class DocumentSelector:
    """Which document of the file: the one at `index`, from 0, or that of a `kind` and `metadata.name`; None is any."""

    index: int | None = None
    kind: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SetField:
    """The value at field path `path` becomes `value`, which keeps its JSON type.

    Without `document` the path is looked for in all documents. It must mean exactly one scalar, or any number from one
    on if `many`. Where it means nothing and `create` holds, what is missing of it is written; only then may `value` be
    a mapping or a list.
    """

    path: str
    value: Json
    document: DocumentSelector | None = None
    create: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class Unset:
    """The key or list item at field path `path` goes, with the comment lines that are its own.

    A path that means nothing is done already. It means one at most, or any number if `many`.
    """

    path: str
    document: DocumentSelector | None = None
    many: bool = False


@dataclass(frozen=True, slots=True)
class Merge:
    """The mapping at field path `path` (`$` is the whole document) gets the keys of `value`, key by key.

    Mappings are merged into mappings, scalars replace scalars, null removes a key, and keys that `value` does not name
    stay (https://www.rfc-editor.org/rfc/rfc7396). A list is written only where there is none.
    """

    path: str
    value: dict[str, Json]
    document: DocumentSelector | None = None


@dataclass(frozen=True, slots=True)
class SetImage:
    """Every reference to the image `name` in the file gets `tag`, `digest` or both.

    `name` is the repository without tag and digest, with or without its registry. None leaves a part as it is. A tag
    without a digest on a reference that a digest pins is refused, unless `drop_digest` takes the digest away.
    """

    name: str
    tag: str | None = None
    digest: str | None = None
    drop_digest: bool = False


Operation: TypeAlias = SetField | Unset | Merge | SetImage


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value that changed: where it stands (from 1), and its source text before and after, quotes included.

    `old` is "" for what was created, `new` for what was removed.
    """

    path: str
    line: int
    column: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Edited:
    """The text after the edit, and what changed; without changes the text is the one given.

    `same` are the field paths that are there already as asked for.
    """

    text: str
    changes: tuple[FieldChange, ...]
    same: tuple[str, ...] = field(default=(), compare=False)
