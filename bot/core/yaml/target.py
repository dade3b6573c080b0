"""Which nodes an operation means, and where what is missing of its path would go."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bot.core.yaml.events import problem
from bot.core.yaml.explain import many_matches, no_match
from bot.core.yaml.locate import Alias, Mapping, Scalar, Sequence
from bot.core.yaml.operations import DocumentSelector
from bot.core.yaml.path import rooted, steps
from bot.core.yaml.splice import check_keys
from bot.core.yaml.walk import Match, ends, find
from bot.errors import EditError

if TYPE_CHECKING:
    from bot.core.yaml.locate import Document, Located
    from bot.core.yaml.path import FieldPath, Segments, Step


class Target(NamedTuple):
    """A node of a document, and what is missing of the path below it: nothing where it is the node that is meant."""

    document: Document
    match: Match
    missing: list[Step]

    @property
    def path(self) -> str:
        """A path that means this node alone. Raises `EditError` where a key on the way is none that a path can name."""
        if not all(isinstance(step.key, Scalar | int | None) for step in self.match.way()):
            raise EditError("a key on the way is an alias or a collection; name the value by another way")
        return rooted(str(self.match))

    @property
    def selector(self) -> DocumentSelector:
        """Its document."""
        return DocumentSelector(index=self.document.index)


class MissingError(EditError):
    """The path means nothing in the file as it is; it may after other operations."""


def choose(located: Located, selector: DocumentSelector | None) -> list[Document]:
    """Return the documents to look in. Raises `EditError` where the selector means none, or several."""
    documents = located.documents
    if selector is None:
        return documents
    if selector.index is not None:
        if not 0 <= selector.index < max(len(documents), 1):
            count = len(documents)
            raise EditError(f"the file has no document {selector.index}; it has {count}, counted from 0")
        documents = documents[selector.index :][:1]
    if (selector.kind, selector.name) == (None, None):
        return documents
    found = [one for one in documents if _is(one, selector)]
    wanted = "/".join(part for part in (selector.kind, selector.name) if part is not None)
    if not found:
        there = ", ".join(dict.fromkeys("/".join(filter(None, _called(one))) for one in located.documents))
        raise EditError(f"the file has no document {wanted!r}; it has {there or 'none with kind and name'}")
    if len(found) > 1:
        second = found[1].root.start
        raise problem(located.text, second, f"{len(found)} documents are {wanted!r}; name one by kind, name or index")
    return found


def targets(located: Located, path: FieldPath, selector: DocumentSelector | None, *, many: bool) -> list[Target]:
    """Return the nodes that the path means: one, or any number from one on if `many`.

    Raises `EditError` where it means none (`MissingError`) or too many.
    """
    documents = choose(located, selector)
    found = [(document, match) for document in documents for match in find(document.root, path.segments)]
    if not found:
        raise MissingError(no_match(located, documents, path.text, path.segments).problems)
    if len(found) > 1 and not many:
        for _, match in found[:2]:
            check_keys(located, match)
        raise many_matches(located, path.text, [match for _, match in found])
    return [Target(document, match, []) for document, match in found]


def creatable(located: Located, path: FieldPath, selector: DocumentSelector | None, *, many: bool) -> list[Target]:
    """Return the nodes that the path means, and beside them those below which something of it is missing.

    Raises `EditError` as `targets` does, and where what is missing has no certain place.
    """
    documents = choose(located, selector)
    there: list[Target] = []
    stops: list[tuple[Document, Match, Segments]] = []
    for document in documents:
        for match, rest in ends(document.root, path.segments):
            if rest:
                stops.append((document, match, rest))
            else:
                there.append(Target(document, match, []))
    # A document without a value, as behind a last `---`, is no place that could be meant.
    filled = [one for one in documents if not (isinstance(one.root, Scalar) and one.root.empty)]
    stops = [stop for stop in stops if stop[0] in filled] if len(filled) == 1 else stops
    if len(filled or documents) > 1:
        # What the path means in one document need not be in the others.
        if not there:
            count = len(filled)
            sentence = f"the file has {count} documents, none with {path.text!r}; say in which one to create it"
            raise MissingError(sentence)
        stops = []
    found = there + [Target(document, match, steps(path, rest)) for document, match, rest in stops]
    if len(found) > 1 and not many:
        for target in found[:2]:
            check_keys(located, target.match)
        raise many_matches(located, path.text, [target.match for target in found])
    for target in found:
        _check_stop(located, target)
    return found


def _check_stop(located: Located, target: Target) -> None:
    """Refuse to go through what has no place for a key or an item."""
    node, text = target.match.node, located.text
    if isinstance(node, Alias):
        sentence = f"creating path: {str(target.match)!r} is the alias *{node.anchor}, so nothing is created below it"
        raise problem(text, node.start, f"{sentence}; write the value out here first")
    for place, step in enumerate(target.missing):
        if not isinstance(step, int) or (not place and isinstance(node, Mapping)):
            continue
        count = len(node.items) if isinstance(node, Sequence) and not place else 0
        if step != count:
            sentence = f"creating path: the list has {count} items, so the next one is [{count}], not [{step}]"
            raise problem(text, node.start, f"{sentence}; or append with [+]")


def _is(document: Document, selector: DocumentSelector) -> bool:
    kind, name = _called(document)
    return selector.kind in (None, kind) and selector.name in (None, name)


def _called(document: Document) -> tuple[str, str]:
    """Return `kind` and `metadata.name` of a document, "" where it has none."""
    kind, name = _text(document.root, "kind"), ""
    if isinstance(document.root, Mapping):
        for key, value in document.root.pairs:
            if isinstance(key, Scalar) and key.value == "metadata":
                name = _text(value, "name")
    return kind, name


def _text(node: object, name: str) -> str:
    for key, value in node.pairs if isinstance(node, Mapping) else ():
        if isinstance(key, Scalar) and key.value == name and isinstance(value, Scalar):
            return value.value
    return ""
