"""Every reference to an image in a file, and the fields that give it another tag or digest.

What counts, wherever in the tree it stands (labels, annotations and selectors are passed over):

* A scalar `[registry[:port]/]repository[:tag][@digest]` under a key `image`: containers, compose services, custom
  resources. Where it has a tag or digest, also under a key that ends in `Image` or `ImageName`, under `repository`,
  under `name` in an `image`, and in a list `images`. Flux's `ImageRepository` and Argo CD's `ImageUpdater` say which
  images to look out for: they are passed over (https://fluxcd.io/flux/components/image/imagerepositories/).
* Helm values: `repository` (or `image`, or `name` in an `image`) with `tag`, `digest` or `sha` and maybe `registry`
  beside it; flat, `image` or `imageRepository` with `imageTag`. Without a tag a `repository` counts where `registry` or
  `pullPolicy` stands beside it, or in an `image`; the tag is then created. A URL is no repository.
* kustomize's and Flux's `images` with `name`, `newName`, `newTag`, `digest`: by either name, as people know an image by
  the one or the other (https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/).
* In an Argo CD Application `kustomize.images`, strings `[name=]repository[:tag][@digest]`, by either name
  (https://argo-cd.readthedocs.io/en/stable/user-guide/kustomize/); `helm.parameters`, Helm values whose names begin
  alike; and `helm.values`, YAML in a scalar (https://argo-cd.readthedocs.io/en/stable/user-guide/helm/).

A name asked for with a registry means that registry, written in the value or beside it. A name without one means Docker
Hub's, and also what a `registry` beside stands in front of, as `repository` is what one sees.

What is not asked for stays, so a new digest comes to stand behind the old tag. A digest goes where there is a place for
it: into the string, under `digest`, `sha`. Helm values without one get `tag: TAG@DIGEST`, since a chart need not know a
key `digest` (Renovate and Argo CD Image Updater do so). Of kustomize's items both keys are written: it builds
`name:newTag@digest`, and before https://github.com/kubernetes-sigs/kustomize/pull/4406 let the digest win.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core.yaml import reference
from bot.core.yaml.events import problem
from bot.core.yaml.locate import Alias, Mapping, Scalar, Sequence, locate
from bot.core.yaml.nested import moved
from bot.core.yaml.operations import DocumentSelector, SetField, SetImage, Unset
from bot.core.yaml.path import spelt
from bot.core.yaml.quote import NULLS
from bot.core.yaml.walk import Match, children
from bot.errors import EditError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core.model import Json
    from bot.core.yaml.locate import Document, Located

_KEY = re.compile(r"(?P<stem>image|[\w.-]*(?:Image|[_-]image))(?:Repository|Name)?|repository|name")
_IMAGES = re.compile(r".*images?", re.IGNORECASE)
_NO_IMAGES = re.compile(r".*(?:labels|annotations|selector)", re.IGNORECASE)
_KUSTOMIZE_KEYS = {"newTag", "newName", "digest", "tagSuffix"}
_KUSTOMIZE_KINDS = ("Kustomization", "Component")

_UNCLEAR = "a part that is malformed or filled in by a template or variable; write it out, or change what fills it in"
_PINNED = "and would win over the new tag; give the new image's digest too, or have the digest dropped"


def fields(located: Located, operation: SetImage) -> list[SetField | Unset]:
    """Find every reference to the image in the file and return the operations that set it there.

    Each names its document by index and its place by a path that means it alone. Raises `EditError` with every problem:
    a malformed name, tag or digest; no reference at all; a digest that would win over the new tag; a reference that a
    template or variable is part of.
    """
    reference.check(operation.name, operation.tag, operation.digest)
    search = _Search(located, operation)
    for document in located.documents:
        search.look(document)
    if search.problems:
        raise EditError(search.problems)
    if not search.fields:
        raise reference.not_there(operation.name, list(search.names))
    return search.fields


@dataclass(frozen=True, slots=True)
class _Group:
    """Values that stand together, by key: those of a mapping, or Helm parameters whose names begin with `prefix`."""

    match: Match
    under: str
    values: dict[str, Match]
    prefix: str | None = None

    def set(self, key: str, text: str, document: DocumentSelector) -> SetField:
        """Return the operation that sets the value of `key`, there or not."""
        if key in self.values:
            return SetField(str(self.values[key]), text, document)
        if self.prefix is None:
            return SetField(f"{self.match}{spelt(key)}", text, document, create=True)
        # Helm reads a parameter 1.10 as a number where it is not told otherwise.
        new: Json = {"name": self.prefix + key, "value": text, "forceString": True}
        return SetField(f"{self.match}[+]", new, document, create=True)

    def beside(self, stem: str, what: str) -> str:
        """Return the key that holds the `what` of a reference, such as `tag` or `imageTag`; empty where none does."""
        names = [stem + what.title()] if stem else []
        if stem in ("", "image"):
            names += [what, "sha"] if what == "digest" else [what]
        leaves = [key for key, match in self.values.items() if isinstance(match.node, Scalar | Alias)]
        return next((name for name in names if name in leaves), "")


class _Search:
    """A search through the documents of a file: fields to set, problems, and all image names that were seen."""

    def __init__(self, located: Located, operation: SetImage) -> None:
        self.located, self.operation = located, operation
        self.wanted = reference.canonical(operation.name)
        self.fields: list[SetField | Unset] = []
        self.problems: list[Problem] = []
        self.names: dict[str, None] = {}
        self.document = DocumentSelector()
        self.anchored: dict[str | None, str] = {}

    def look(self, document: Document) -> None:
        """Go through one document."""
        self.document = DocumentSelector(index=document.index)
        self.anchored = _anchored(document) if document.aliases else {}
        kind = ""
        for match, below in _collections(document):
            under = _under(match)
            if isinstance(match.node, Mapping):
                values = {child.key.value: child for child in below if isinstance(child.key, Scalar)}
                kind = self.value(values.get("kind")) if match.parent is None else kind
                if kind in ("ImageRepository", "ImageUpdater"):
                    return
                self.mapping(_Group(match, under, values), kind)
            elif under == "images":
                self.strings(below, kustomize=_under(match.parent) == "kustomize")
            elif under == "parameters" and _under(match.parent) == "helm":
                self.parameters(match, below)

    def mapping(self, group: _Group, kind: str) -> None:
        """Take the references among the values of a mapping."""
        values = group.values.get("values") if group.under == "helm" else None
        if values and isinstance(values.node, Scalar):
            self.inside(values, values.node)
        if _NO_IMAGES.fullmatch(group.under) or self.override(group, kind):
            return
        for key in group.values:
            if found := _KEY.fullmatch(key):
                self.single(group, key, found["stem"] or "")

    def override(self, group: _Group, kind: str) -> bool:
        """Take an item of kustomize's `images`; whether it is one."""
        parent, values = group.match.parent, group.values
        if group.under != "images" or not parent or not isinstance(parent.node, Sequence):
            return False
        if values.keys() & {"tag", "repository"} or not values.keys() & {"name", "newName"}:
            return False
        known = kind in _KUSTOMIZE_KINDS or _under(parent.parent) == "kustomize"
        if not known and not values.keys() & _KUSTOMIZE_KEYS:
            return False
        names = [self.value(values.get(key)) for key in ("name", "newName")]
        if self.means(names, group.match):
            self.put(group, "newTag", apart="digest")
        return True

    def strings(self, items: list[Match], *, kustomize: bool) -> None:
        """Take the strings in a list of images; without a tag only kustomize's, which may have `name=` in front."""
        for item in items:
            before, equals, text = self.value(item).rpartition("=")
            name, *tail = reference.read(text) or (text, "?")
            if (any(tail) or kustomize) and self.means([before, name], item):
                self.put(_Group(item, "images", {"": item}), "", before + equals + name)

    def parameters(self, match: Match, items: list[Match]) -> None:
        """Take Argo CD's Helm parameters, as the values that they set."""
        groups: dict[str, dict[str, Match]] = {}
        for item in items:
            pair = {child.key.value: child for child in children(item) if isinstance(child.key, Scalar)}
            if "name" in pair and "value" in pair:
                before, dot, key = self.value(pair["name"]).rpartition(".")
                groups.setdefault(before + dot, {})[key] = pair["value"]
        for prefix, values in groups.items():
            self.mapping(_Group(match, prefix.rstrip(".").rpartition(".")[2], values, prefix), "")

    def inside(self, match: Match, node: Scalar) -> None:
        """Take the references in a scalar that holds YAML; what is no YAML (a template) is passed over."""
        try:
            located = locate(node.value)
        except EditError:
            return
        search = _Search(located, self.operation)
        for document in located.documents:
            search.look(document)
        self.names |= search.names
        self.problems += moved(self.located, node, EditError(search.problems))
        for field in search.fields:
            self.fields.append(replace(field, path=f"{match} | {field.path}", document=self.document))

    def single(self, group: _Group, key: str, stem: str) -> None:
        """Take the reference that the value of `key` is, by itself or with what stands beside it."""
        match, values = group.values[key], group.values
        text, imagelike = self.value(match), _IMAGES.fullmatch(group.under) is not None
        if not text or (key == "name" and (not imagelike or "repository" in values)):
            return
        tag, digest, beside = (group.beside(stem, what) for what in ("tag", "digest", "registry"))
        registry = self.value(values.get(beside)).rstrip("/")
        name, *tail = reference.read(text) or (text, "?")
        whole = any(tail) or (key == "image" and not tag)
        known = stem or digest or registry or imagelike or "pullPolicy" in values
        if not whole and not tag and not (known and key.endswith("epository")):
            return
        if self.means([f"{registry}/{name}" if registry else name], match, name if registry else ""):
            key = key if whole else tag or (f"{stem}Tag" if stem else "tag")
            self.put(group, key, name if whole else "", digest)

    def means(self, names: list[str], match: Match, short: str = "") -> bool:
        """Whether a name is the image's, or `short`, without the registry beside it, is what was asked for.

        A text that is no name, since something fills in a part of it, is refused where it may be the image's.
        """
        asked, known = self.operation.name, [name for name in names if reference.is_name(name)]
        self.names |= dict.fromkeys(known)
        if any(reference.canonical(name) == self.wanted for name in known):
            return True
        if short == asked and not reference.split(asked)[0]:
            return True
        if any(reference.may_mean(name, asked) for name in (*names, short) if not reference.is_name(name)):
            self.refuse(match, f"the image {asked!r} stands here with {_UNCLEAR}")
        return False

    def put(self, group: _Group, key: str, head: str = "", apart: str = "") -> None:
        """Set tag and digest of one reference.

        The value of `key` is `head:tag@digest`, or `tag@digest` where `head` is empty; that of `apart` is the digest
        alone, or what comes to be it.
        """
        asked, values = self.operation, group.values
        text, pin = self.value(values.get(key)), self.value(values.get(apart)) if apart else ""
        tag, _, inner = text.removeprefix(head).removeprefix(":").partition("@")
        if (pin or inner) and not asked.digest and not asked.drop_digest:
            self.refuse(values[apart if pin else key], f"a digest pins the image {asked.name!r} here {_PINNED}")
            return
        tag, digest = asked.tag or tag, asked.digest or ""
        if apart and digest and (pin or not inner):
            self.fields.append(group.set(apart, self.alone(values.get(apart), apart, digest), self.document))
            digest = digest if inner else ""
        elif pin and not digest:
            gone = values[apart] if group.prefix is None else values[apart].parent
            self.fields.append(Unset(str(gone), self.document))
        if digest and not tag and not head:
            self.refuse(group.match, "there is no tag here that the digest could be put behind; give the tag too")
        elif asked.tag or digest:
            if not head and reference.varies(text):
                self.refuse(values[key], f"the tag of the image {asked.name!r} has {_UNCLEAR}")
            self.fields.append(group.set(key, reference.join(head, tag, digest), self.document))

    def alone(self, match: Match | None, key: str, digest: str) -> str:
        """Return how a digest is written under its key: `sha` holds the digits only, which are sha256's."""
        if reference.varies(self.value(match)) and match:
            self.refuse(match, f"the digest of the image {self.operation.name!r} has {_UNCLEAR}")
        if key == "sha" and not digest.startswith("sha256:") and match:
            self.refuse(match, "`sha` holds the digits of a sha256 digest; give such a digest")
        return digest.removeprefix("sha256:") if key == "sha" else digest

    def value(self, match: Match | None) -> str:
        """Return the text of a scalar, of an alias what it stands for; empty for null and for what is no scalar."""
        node = match.node if match else None
        if isinstance(node, Alias):
            return self.anchored.get(node.anchor, "")
        if not isinstance(node, Scalar) or (not node.style and node.value in NULLS):
            return ""
        return node.value

    def refuse(self, match: Match, sentence: str) -> None:
        """Note what is wrong at a node."""
        self.problems += problem(self.located.text, match.node.start, sentence).problems


def _collections(document: Document) -> Iterator[tuple[Match, list[Match]]]:
    """Yield every collection that a path leads to (by keys that are scalars) and what is directly in it, in order."""
    waiting = [Match(document.root)]
    while waiting:
        match = waiting.pop()
        below = children(match)
        yield match, below
        waiting += [
            child
            for child in reversed(below)
            if isinstance(child.node, Mapping | Sequence) and isinstance(child.key, Scalar | int)
        ]


def _anchored(document: Document) -> dict[str | None, str]:
    """Return the values of the scalars that have an anchor; none where an anchor is defined twice."""
    found: dict[str | None, str] = {}
    for node in (child.node for _, below in _collections(document) for child in below):
        if isinstance(node, Scalar) and node.anchor:
            found[node.anchor] = "" if node.anchor in found else node.value
    return found


def _under(match: Match | None) -> str:
    """Return the nearest key above a node, its own included, list indexes left out; empty at the root."""
    keys = (step.key for step in match.way()) if match else iter(())
    return next((key.value for key in keys if isinstance(key, Scalar)), "")
