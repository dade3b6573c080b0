"""Images: which references in a file are found, what is written there, and what is refused."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.core.yaml import DocumentSelector, SetField, SetImage, Unset, edit
from bot.core.yaml.image import fields
from bot.core.yaml.locate import locate
from bot.errors import EditError

if TYPE_CHECKING:
    from bot.core.model import Json

OLD = "sha256:" + "0" * 64
NEW = "sha256:" + "9" * 64
LONG = "sha512:" + "a" * 128

APP = SetImage("ghcr.io/org/app", "2.0")

# (document, field path, new value, whether it is created); a value of None is a field that is removed.
Found = tuple[int | None, str, "Json", bool]


def found(text: str, operation: SetImage) -> list[Found]:
    """What is set and removed, in order."""
    return [_plain(field) for field in fields(locate(text), operation)]


def _plain(field: SetField | Unset) -> Found:
    index = field.document.index if field.document else None
    if isinstance(field, Unset):
        return index, field.path, None, False
    return index, field.path, field.value, field.create


def here(path: str, value: Json, *, create: bool = False) -> list[Found]:
    """One field in the first document."""
    return [(0, path, value, create)]


DEPLOYMENT = f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
  labels: {{image: app, app: ghcr.io/org/app}}
spec:
  template:
    metadata:
      annotations: {{image: ghcr.io/org/app:1.0}}
    spec:
      initContainers:
      - name: migrate
        image: ghcr.io/org/app:1.0
      containers:
      - name: app
        image: "ghcr.io/org/app"
        args: [--image=ghcr.io/org/app:1.0]
      - {{name: sidecar, image: ghcr.io/org/app-sidecar:1.0}}
      - name: pinned
        image: ghcr.io/other/app@{OLD}
"""


def test_every_container_of_the_image_is_found_and_no_other() -> None:
    """With or without a tag; labels, annotations, arguments and names that only begin alike stay out."""
    assert found(DEPLOYMENT, APP) == [
        (0, "spec.template.spec.initContainers[0].image", "ghcr.io/org/app:2.0", False),
        (0, "spec.template.spec.containers[0].image", "ghcr.io/org/app:2.0", False),
    ]


def test_documents_are_told_apart() -> None:
    """Each field names its document by index."""
    text = "a: {image: org/app:1}\n---\nimage: nginx\n---\nb: {image: org/app:1}\n"
    assert found(text, SetImage("org/app", "2")) == [
        (0, "a.image", "org/app:2", False),
        (2, "b.image", "org/app:2", False),
    ]


STRINGS = {
    # asked name, value in the file, value after tag 2.0
    "no tag": ("org/app", "org/app", "org/app:2.0"),
    "a tag": ("org/app", "org/app:1.0", "org/app:2.0"),
    "a registry with a port": ("localhost:5000/app", "localhost:5000/app", "localhost:5000/app:2.0"),
    "a registry with a port, and a tag": ("r.io:5000/a/b", "r.io:5000/a/b:1", "r.io:5000/a/b:2.0"),
    "an IPv6 registry": ("[::1]:5000/app", "[::1]:5000/app:1", "[::1]:5000/app:2.0"),
    "Docker Hub, short": ("nginx", "nginx:1.27", "nginx:2.0"),
    "Docker Hub, in full in the file": ("nginx", "docker.io/library/nginx:1", "docker.io/library/nginx:2.0"),
    "Docker Hub, in full in the question": ("docker.io/library/nginx", "nginx:1", "nginx:2.0"),
    "Docker Hub without library": ("docker.io/nginx", "library/nginx", "library/nginx:2.0"),
    "Docker Hub's old name": ("org/app", "index.docker.io/org/app:1", "index.docker.io/org/app:2.0"),
    "a malformed old tag": ("org/app", "'org/app:-1+build'", "org/app:2.0"),
    "the tag it has already": ("org/app", "org/app:2.0", "org/app:2.0"),
}


@pytest.mark.parametrize(("name", "old", "new"), STRINGS.values(), ids=STRINGS)
def test_a_string_keeps_its_name_and_gets_the_tag(name: str, old: str, new: str) -> None:
    """The name stays as it is written, whichever way it was asked for."""
    old = f"'{old}'" if old.startswith("[") else old
    assert found(f"image: {old}\n", SetImage(name, "2.0")) == here("image", new)


OTHERS = {
    "another registry": ("ghcr.io/org/app", "quay.io/org/app:1"),
    "Docker Hub is not meant": ("ghcr.io/org/app", "org/app:1"),
    "Docker Hub is meant": ("org/app", "ghcr.io/org/app:1"),
    "another port": ("localhost:5000/app", "localhost:5001/app:1"),
    "another case": ("org/app", "Org/App:1"),
    "a longer name": ("org/app", "org/app-web:1"),
    "a longer path": ("org/app", "my/org/app:1"),
    "a shorter path": ("org/app", "app:1"),
    "a port is no tag": ("localhost", "localhost:5000/app"),
    "a URL": ("org/app", "https://org/app"),
}


@pytest.mark.parametrize(("name", "value"), OTHERS.values(), ids=OTHERS)
def test_another_image_is_left_alone(name: str, value: str) -> None:
    """Registry, repository and case must be equal; nothing is guessed."""
    with pytest.raises(EditError, match="the file has no reference to the image"):
        found(f"image: {value}\n", SetImage(name, "2.0"))


DIGESTS = {
    # value in the file, asked tag, asked digest, drop, value after
    "a digest stands behind the old tag": ("org/app:1", None, NEW, False, f"org/app:1@{NEW}"),
    "a digest alone": ("org/app", None, NEW, False, f"org/app@{NEW}"),
    "a digest replaces a digest": (f"org/app@{OLD}", None, NEW, False, f"org/app@{NEW}"),
    "a digest replaces one behind a tag": (f"org/app:1@{OLD}", None, NEW, False, f"org/app:1@{NEW}"),
    "both": ("org/app:1", "2", NEW, False, f"org/app:2@{NEW}"),
    "both replace both": (f"org/app:1@{OLD}", "2", NEW, False, f"org/app:2@{NEW}"),
    "a longer algorithm": (f"org/app:1@{OLD}", "2", LONG, False, f"org/app:2@{LONG}"),
    "the digest is dropped": (f"org/app:1@{OLD}", "2", None, True, "org/app:2"),
    "the digest is dropped where there was no tag": (f"org/app@{OLD}", "2", None, True, "org/app:2"),
    "nothing to drop": ("org/app:1", "2", None, True, "org/app:2"),
}


@pytest.mark.parametrize(("old", "tag", "digest", "drop", "new"), DIGESTS.values(), ids=DIGESTS)
def test_a_string_has_tag_and_digest_apart(old: str, tag: str | None, digest: str | None, drop: bool, new: str) -> None:
    """What is not asked for stays, but for a digest that is dropped."""
    assert found(f"image: {old}\n", SetImage("org/app", tag, digest, drop)) == here("image", new)


HELM = {
    "a repository with its registry in it": (
        "image: {repository: ghcr.io/org/app, tag: '1.0'}",
        [("image.tag", "2.0", False)],
    ),
    "the registry beside": (
        "image: {registry: ghcr.io, repository: org/app, tag: '1.0', digest: ''}",
        [("image.tag", "2.0", False)],
    ),
    "a registry that ends in a slash": (
        "image: {registry: ghcr.io/, repository: org/app, tag: 1}",
        [("image.tag", "2.0", False)],
    ),
    "an empty registry beside": (
        "image: {registry: '', repository: ghcr.io/org/app, tag: ''}",
        [("image.tag", "2.0", False)],
    ),
    "no tag in an image": ("image: {repository: ghcr.io/org/app}", [("image.tag", "2.0", True)]),
    "a null tag": ("image: {repository: ghcr.io/org/app, tag: }", [("image.tag", "2.0", False)]),
    "no tag, but a pull policy": (
        "proxy: {repository: ghcr.io/org/app, pullPolicy: Always}",
        [("proxy.tag", "2.0", True)],
    ),
    "no tag in something that ends in Image": (
        "initImage: {repository: ghcr.io/org/app}",
        [("initImage.tag", "2.0", True)],
    ),
    "values at the root": ("repository: ghcr.io/org/app\ntag: 1", [("tag", "2.0", False)]),
    "values at the root without a tag": (
        "repository: ghcr.io/org/app\npullPolicy: Always",
        [("$.tag", "2.0", True)],
    ),
    "a list of images": (
        "images: [{name: web, repository: ghcr.io/org/app, tag: 1}]",
        [("images[0].tag", "2.0", False)],
    ),
    "a key with dots above": (
        "my.app: {image: {repository: ghcr.io/org/app}}",
        [("['my.app'].image.tag", "2.0", True)],
    ),
    "a reference under repository": (
        "image: {repository: ghcr.io/org/app:1.0}",
        [("image.repository", "ghcr.io/org/app:2.0", False)],
    ),
    "a name in an image": ("image: {name: ghcr.io/org/app, tag: 1}", [("image.tag", "2.0", False)]),
    "a reference as name in an image": (
        "image: {name: 'ghcr.io/org/app:1', entrypoint: ['']}",
        [("image.name", "ghcr.io/org/app:2.0", False)],
    ),
    "an image in an image": (
        "image: {registry: ghcr.io, image: org/app, tag: 1}",
        [("image.tag", "2.0", False)],
    ),
    "flat": ("image: ghcr.io/org/app\nimageTag: 1", [("imageTag", "2.0", False)]),
    "flat with tag": ("web: {image: ghcr.io/org/app, tag: 1}", [("web.tag", "2.0", False)]),
    "flat, of something": (
        "proxyImage: ghcr.io/org/app\nproxyImageTag: 1\nimageTag: 3",
        [("proxyImageTag", "2.0", False)],
    ),
    "flat repository": (
        "imageRepository: ghcr.io/org/app\nimageTag: 1",
        [("imageTag", "2.0", False)],
    ),
    "flat repository without a tag": (
        "imageRepository: ghcr.io/org/app",
        [("$.imageTag", "2.0", True)],
    ),
    "a string with everything": ("natsImage: ghcr.io/org/app:1", [("natsImage", "ghcr.io/org/app:2.0", False)]),
    "a cluster's image name": (
        "spec: {imageName: 'ghcr.io/org/app:1'}",
        [("spec.imageName", "ghcr.io/org/app:2.0", False)],
    ),
    "a list of references": ("images: ['ghcr.io/org/app:1']", [("images[0]", "ghcr.io/org/app:2.0", False)]),
    "values of a HelmRelease": (
        "kind: HelmRelease\nspec: {values: {image: {repository: ghcr.io/org/app, tag: 1}}}",
        [("spec.values.image.tag", "2.0", False)],
    ),
    "JSON": ('{"image": {"repository": "ghcr.io/org/app", "tag": "1"}}', [("image.tag", "2.0", False)]),
    "a tag through a merge key is set beside it": (
        "a: &a {tag: 1}\nimage: {<<: *a, repository: ghcr.io/org/app}",
        [("image.tag", "2.0", True)],
    ),
    "a name through an alias": (
        "x: &repo ghcr.io/org/app\nimage: {repository: *repo, tag: 1}",
        [("image.tag", "2.0", False)],
    ),
}


@pytest.mark.parametrize(("text", "expected"), HELM.values(), ids=HELM)
def test_values_of_charts_are_found_by_their_shape(text: str, expected: list[tuple[str, Json, bool]]) -> None:
    """The tag is set where it stands, and created where a chart looks for it."""
    assert found(f"{text}\n", APP) == [(0, path, value, create) for path, value, create in expected]


NO_REFERENCES = {
    "a chart's repository": "chart: {repository: ghcr.io/org/app, name: app, version: 1.0.0}",
    "a chart's URL": "dependencies: [{name: app, repository: 'https://ghcr.io/org/app', version: 1.0.0}]",
    "an OCI URL": "image: {repository: 'oci://ghcr.io/org/app', tag: 1}",
    "a name in any mapping": "app: {name: ghcr.io/org/app, tag: 1}",
    "a name in a list of containers": "containers: [{name: ghcr.io/org/app}]",
    "a name alone in an image": "image: {name: ghcr.io/org/app}",
    "a name alone in images that are not kustomize's": "images: [{name: ghcr.io/org/app}]",
    "a string without a tag in images": "images: [ghcr.io/org/app]",
    "an image's name without tag under a longer key": "logoImage: ghcr.io/org/app",
    "another key": "picture: ghcr.io/org/app:1",
    "a longer word": "reimage: ghcr.io/org/app:1",
    "a label": "labels: {image: ghcr.io/org/app}",
    "a selector": "matchLabels: {image: ghcr.io/org/app:1}",
    "annotations of pods": "podAnnotations: {image: ghcr.io/org/app:1}",
    "an image to scan": "kind: ImageRepository\nspec: {image: ghcr.io/org/app}",
    "an image to update": "kind: ImageUpdater\nspec: {images: [{imageName: 'ghcr.io/org/app:~1.0'}]}",
    "a comment": "# image: ghcr.io/org/app:1\nname: x",
    "a sentence": "image: the image ghcr.io/org/app:1 is good",
    "a mapping": "image: {description: ghcr.io/org/app, type: string}",
    "a number": "image: 1.0",
    "null": "image: null",
    "an empty file": "",
    "a key that is a mapping": "? {a: b}\n: {image: 'ghcr.io/org/app:1'}",
    "a parameter that is no image": (
        "spec: {source: {helm: {parameters: [{name: chart.repository, value: ghcr.io/org/app}]}}}"
    ),
    "parameters of something else": "parameters: [{name: image, value: 'ghcr.io/org/app:1'}]",
}


@pytest.mark.parametrize("text", NO_REFERENCES.values(), ids=NO_REFERENCES)
def test_what_is_no_reference_to_an_image_stays(text: str) -> None:
    """The name alone is no evidence: the shape around it must be that of an image."""
    with pytest.raises(EditError, match=r"the file has no reference to the image 'ghcr\.io/org/app'"):
        found(f"{text}\n", APP)


REGISTRIES = {
    # asked name, registry beside, repository, whether it is meant
    "as it is seen": ("org/app", "quay.io", "org/app", True),
    "in full": ("quay.io/org/app", "quay.io", "org/app", True),
    "Docker Hub beside": ("nginx", "docker.io", "library/nginx", True),
    "Docker Hub beside, asked in full": ("docker.io/library/nginx", "docker.io", "nginx", True),
    "another registry beside": ("ghcr.io/org/app", "quay.io", "org/app", False),
    "another registry in front": ("docker.io/org/app", "quay.io", "org/app", False),
    "a registry in the repository too": ("ghcr.io/org/app", "quay.io", "ghcr.io/org/app", False),
    "a registry from a template": ("org/app", "'{{ .Values.registry }}'", "org/app", True),
}


@pytest.mark.parametrize(("name", "registry", "repository", "meant"), REGISTRIES.values(), ids=REGISTRIES)
def test_the_registry_beside_counts(name: str, registry: str, repository: str, meant: bool) -> None:
    """A name with a registry means that one; a name without one means what is seen as the repository."""
    text = f"image:\n  registry: {registry}\n  repository: {repository}\n  tag: '1'\n"
    if meant:
        assert found(text, SetImage(name, "2")) == here("image.tag", "2")
        return
    with pytest.raises(EditError, match="the file has no reference"):
        found(text, SetImage(name, "2"))


HELM_DIGESTS = {
    # values beside the repository, tag, digest, drop, fields set
    "digest under its key": ("tag: '1', digest: ''", None, NEW, False, [("digest", NEW)]),
    "digest for a digest": (f"tag: '1', digest: '{OLD}'", None, NEW, False, [("digest", NEW)]),
    "both under their keys": (f"tag: '1', digest: '{OLD}'", "2", NEW, False, [("digest", NEW), ("tag", "2")]),
    "digest behind the tag": ("tag: '1'", None, NEW, False, [("tag", f"1@{NEW}")]),
    "both in the tag": ("tag: '1'", "2", NEW, False, [("tag", f"2@{NEW}")]),
    "both in a tag that has both": (f"tag: '1@{OLD}', digest: ''", "2", NEW, False, [("tag", f"2@{NEW}")]),
    "a digest in both places": (
        f"tag: '1@{OLD}', digest: '{OLD}'",
        "2",
        NEW,
        False,
        [("digest", NEW), ("tag", f"2@{NEW}")],
    ),
    "digits under sha": ("tag: '1', sha: ''", "2", NEW, False, [("sha", "9" * 64), ("tag", "2")]),
    "the key goes": (f"tag: '1', digest: '{OLD}'", "2", None, True, [("digest", None), ("tag", "2")]),
    "sha goes": (f"tag: '1', sha: '{'0' * 64}'", "2", None, True, [("sha", None), ("tag", "2")]),
    "the digest in the tag goes": (f"tag: '1@{OLD}'", "2", None, True, [("tag", "2")]),
    "an empty digest pins nothing": ("tag: '1', digest: ''", "2", None, False, [("tag", "2")]),
    "a null digest pins nothing": ("tag: '1', digest: null", "2", None, True, [("tag", "2")]),
}


@pytest.mark.parametrize(("beside", "tag", "digest", "drop", "expected"), HELM_DIGESTS.values(), ids=HELM_DIGESTS)
def test_a_digest_goes_where_the_chart_has_a_place_for_it(
    beside: str, tag: str | None, digest: str | None, drop: bool, expected: list[tuple[str, str | None]]
) -> None:
    """Under its key if there is one, else behind the tag."""
    result = found(f"image: {{repository: org/app, {beside}}}\n", SetImage("org/app", tag, digest, drop))
    assert result == [(0, f"image.{key}", value, False) for key, value in expected]


KUSTOMIZE = {
    # item, tag, digest, drop, fields set (key, value, created)
    "newTag": ("name: org/app, newTag: '1'", "2", None, False, [("newTag", "2", False)]),
    "newTag is created": ("name: org/app, newName: ghcr.io/x/y", "2", None, False, [("newTag", "2", True)]),
    "by newName": ("name: app, newName: org/app, newTag: '1'", "2", None, False, [("newTag", "2", False)]),
    "by newName in full": ("name: app, newName: docker.io/org/app", "2", None, False, [("newTag", "2", True)]),
    "name alone": ("name: org/app", "2", None, False, [("newTag", "2", True)]),
    "digest is created, newTag stays": ("name: org/app, newTag: '1'", None, NEW, False, [("digest", NEW, True)]),
    "digest for digest": (f"name: org/app, digest: '{OLD}'", None, NEW, False, [("digest", NEW, False)]),
    "both": (
        f"name: org/app, digest: '{OLD}', newTag: '1'",
        "2",
        NEW,
        False,
        [("digest", NEW, False), ("newTag", "2", False)],
    ),
    "digest goes": (
        f"name: org/app, digest: '{OLD}'",
        "2",
        None,
        True,
        [("digest", None, False), ("newTag", "2", True)],
    ),
    "digest in newTag": (f"name: org/app, newTag: '1@{OLD}'", "2", NEW, False, [("newTag", f"2@{NEW}", False)]),
}
KUSTOMIZATIONS = {
    "kustomize": ("kind: Kustomization\nimages:\n- {name: nginx, newTag: '1'}\n- ", "images[1]"),
    "a component": ("kind: Component\nimages:\n- {name: nginx, newTag: '1'}\n- ", "images[1]"),
    "Flux": ("kind: Kustomization\nspec:\n  images:\n  - {name: nginx, newTag: '1'}\n  - ", "spec.images[1]"),
    "a post-renderer": (
        "kind: HelmRelease\nspec:\n  kustomize:\n    images:\n    - {name: nginx, newTag: '1'}\n    - ",
        "spec.kustomize.images[1]",
    ),
}


@pytest.mark.parametrize(("head", "path"), KUSTOMIZATIONS.values(), ids=KUSTOMIZATIONS)
@pytest.mark.parametrize("row", KUSTOMIZE.values(), ids=KUSTOMIZE)
def test_kustomize_images_are_found_by_either_name(
    head: str, path: str, row: tuple[str, str | None, str | None, bool, list[tuple[str, str | None, bool]]]
) -> None:
    """`newTag` and `digest` are set beside the name, wherever kustomize's list stands."""
    item, tag, digest, drop, expected = row
    result = found(f"{head}{{{item}}}\n", SetImage("org/app", tag, digest, drop))
    assert result == [(0, f"{path}.{key}", value, create) for key, value, create in expected]


def test_a_kustomization_without_kind_is_known_by_its_items() -> None:
    """`newTag` is nobody else's key."""
    text = "resources: [../base]\nimages:\n- name: org/app\n  newTag: '1'\n"
    assert found(text, SetImage("org/app", "2")) == here("images[0].newTag", "2")


ARGO = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
spec:
  source:
    repoURL: https://github.com/org/app
    {}
"""

ARGO_IMAGES = {
    "a repository and a tag": ("org/app:1", "org/app:2"),
    "a repository": ("org/app", "org/app:2"),
    "another name in front": ("web=org/app:1", "web=org/app:2"),
    "the name in front": ("org/app=ghcr.io/org/app:1", "org/app=ghcr.io/org/app:2"),
    "the name stays": ("org/app=*:1", "org/app=*:2"),
    "a port": ("org/app=localhost:5000/app", "org/app=localhost:5000/app:2"),
}


@pytest.mark.parametrize(("old", "new"), ARGO_IMAGES.values(), ids=ARGO_IMAGES)
@pytest.mark.parametrize("sources", [False, True])
def test_argo_cd_images_keep_the_name_in_front(old: str, new: str, sources: bool) -> None:
    """`[name=]repository[:tag]`, by either name, in `source` and in `sources`."""
    text = ARGO.format(f"kustomize: {{images: [nginx:1, '{old}']}}")
    path = "spec.source.kustomize.images[1]"
    if sources:
        text = text.replace("source:\n    ", "sources:\n  - ")
        path = "spec.sources[0].kustomize.images[1]"
    assert found(text, SetImage("org/app", "2")) == here(path, new)


PARAMETERS = {
    "repository and tag": (
        "[{name: image.repository, value: org/app}, {name: image.tag, value: '1'}]",
        [("[1].value", "2", False)],
    ),
    "no prefix": (
        "[{name: repository, value: org/app}, {name: tag, value: '1'}]",
        [("[1].value", "2", False)],
    ),
    "two prefixes": (
        (
            "[{name: web.i.tag, value: '1'}, {name: db.i.tag, value: '1'}, {name: db.i.repository, value: db},"
            " {name: web.i.repository, value: org/app}]"
        ),
        [("[0].value", "2", False)],
    ),
    "a registry beside": (
        "[{name: i.registry, value: quay.io}, {name: i.repository, value: org/app}, {name: i.tag, value: '1'}]",
        [("[2].value", "2", False)],
    ),
    "a reference": ("[{name: web.image, value: 'org/app:1'}]", [("[0].value", "org/app:2", False)]),
    "a reference under a longer name": ("[{name: initImage, value: 'org/app:1'}]", [("[0].value", "org/app:2", False)]),
    "flat": ("[{name: image, value: org/app}, {name: imageTag, value: '1'}]", [("[1].value", "2", False)]),
    "no tag": (
        "[{name: image.repository, value: org/app}]",
        [("[+]", {"name": "image.tag", "value": "2", "forceString": True}, True)],
    ),
    "the digest goes": (
        "[{name: image.repository, value: org/app}, {name: image.digest, value: 'sha256:x'}]",
        [("[1]", None, False), ("[+]", {"name": "image.tag", "value": "2", "forceString": True}, True)],
    ),
}


@pytest.mark.parametrize(("parameters", "expected"), PARAMETERS.values(), ids=PARAMETERS)
def test_helm_parameters_are_read_as_the_values_that_they_set(
    parameters: str, expected: list[tuple[str, Json, bool]]
) -> None:
    """Names that begin alike belong together; one that is missing is appended, as a string."""
    text = ARGO.format(f"helm: {{parameters: {parameters}}}")
    path = "spec.source.helm.parameters"
    result = found(text, SetImage("org/app", "2", drop_digest=True))
    assert result == [(0, path + end, value, create) for end, value, create in expected]


def test_helm_values_in_a_scalar_are_looked_into() -> None:
    """The path goes on inside; the document is that of the file."""
    values = "helm:\n      values: |\n        image:\n          repository: org/app\n          tag: '1'\n"
    text = "a: b\n---\n" + ARGO.format(values)
    assert found(text, SetImage("org/app", "2")) == [(1, "spec.source.helm.values | image.tag", "2", False)]


def test_a_refusal_inside_a_scalar_says_the_line_in_the_file() -> None:
    """Counted from the top of the file, not of the scalar."""
    values = "helm:\n      values: |\n        a: b\n        image: org/app:${TAG}\n"
    with pytest.raises(EditError) as raised:
        found(ARGO.format(values), SetImage("org/app", "2"))
    assert [problem.line for problem in raised.value.problems] == [9]


def test_values_that_are_a_template_are_passed_over() -> None:
    """What is no YAML has no fields."""
    with pytest.raises(EditError, match="has no reference"):
        found(ARGO.format("helm: {values: '{{ if'}"), SetImage("org/app", "2"))


PINNED = {
    "in a string": (f"image: org/app:1@{OLD}", 1, 8),
    "in a string without a tag": (f"a:\n  image: org/app@{OLD}", 2, 10),
    "under digest": (f"image:\n  repository: org/app\n  tag: '1'\n  digest: {OLD}", 4, 11),
    "under sha": (f"image:\n  repository: org/app\n  tag: '1'\n  sha: '{'0' * 64}'", 4, 8),
    "in the tag": (f"image:\n  repository: org/app\n  tag: '1@{OLD}'", 3, 8),
    "in kustomize": (f"images:\n- name: org/app\n  digest: {OLD}", 3, 11),
    "in newTag": (f"images:\n- name: org/app\n  newTag: '1@{OLD}'", 3, 11),
    "in Argo CD": (f"kustomize:\n  images:\n  - org/app@{OLD}", 3, 5),
    "beside a string": (f"image: org/app\ndigest: {OLD}", 2, 9),
}


@pytest.mark.parametrize(("text", "line", "column"), PINNED.values(), ids=PINNED)
def test_a_tag_alone_is_refused_where_a_digest_pins(text: str, line: int, column: int) -> None:
    """The old digest would win: nothing would be deployed, and all would look well."""
    with pytest.raises(EditError, match="a digest pins the image 'org/app' here") as raised:
        found(f"{text}\n", SetImage("org/app", "2"))
    (problem,) = raised.value.problems
    assert (problem.line, problem.column) == (line, column)


FILLED_IN = {
    "a template as tag": "image: 'org/app:{{ .Values.tag }}'",
    "a variable as tag": "image: org/app:${TAG:-latest}",
    "a bare variable as tag": "image: org/app:$TAG",
    "a template behind a tag": "image: 'org/app:1-{{ flavour }}'",
    "a variable as digest": "image: org/app@${DIGEST}",
    "a variable as registry": "image: ${REGISTRY}/org/app:1",
    "a variable with its slash": "image: ${REGISTRY}org/app:1",
    "a template as registry": "image: '{{ registry }}/org/app:1'",
    "a registry and a tag": "image: ${REGISTRY:-ghcr.io}/org/app:${TAG}",
    "a tag under its key": "image: {repository: org/app, tag: '{{ tag }}'}",
    "a repository": "image: {repository: '${REGISTRY}/org/app', tag: '1'}",
    "a tag in kustomize": "images: [{name: org/app, newTag: '${TAG}'}]",
    "a name in kustomize": "images: [{name: app, newName: '${REGISTRY}/org/app', newTag: '1'}]",
    "a string for Argo CD": "kustomize: {images: ['web=org/app:${TAG}']}",
    "no tag behind the colon": "image: 'org/app:'",
    "a placeholder": "image: 'org/app:<the tag>'",
    "a blank": "image: 'org/app:1 '",
    "a variable that has the image as its default": "image: ${IMAGE:-org/app:1}",
    "a variable that has a variable in its default": "image: ${IMAGE-${REGISTRY}/org/app:1}",
}


@pytest.mark.parametrize("text", FILLED_IN.values(), ids=FILLED_IN)
def test_what_something_else_fills_in_is_refused(text: str) -> None:
    """A template or variable is never replaced by halves, nor passed over while other references are set."""
    with pytest.raises(EditError, match="malformed or filled in by a template or variable") as raised:
        found(f"other: {{image: 'org/app:1'}}\n{text}\n", SetImage("org/app", "2"))
    assert [problem.line for problem in raised.value.problems] == [2]


def test_a_digest_from_a_variable_is_refused() -> None:
    """Under its key as in a string."""
    text = "image: {repository: org/app, tag: '1', digest: '${DIGEST}'}\n"
    with pytest.raises(EditError, match="malformed or filled in by a template or variable"):
        found(text, SetImage("org/app", "2", NEW))


@pytest.mark.parametrize(
    "value",
    ["other/app:${TAG}", "${IMAGE}", "${IMAGE:-other/app:1}", "'{{ image }}:{{ tag }}'", "${REGISTRY}/org/other:1"],
)
def test_a_template_of_another_image_is_no_reason_to_refuse(value: str) -> None:
    """Nor is one that does not say what it is."""
    text = f"a: {{image: 'org/app:1'}}\nb:\n  image: {value}\n"
    assert found(text, SetImage("org/app", "2")) == here("a.image", "org/app:2")


def test_a_registry_from_a_variable_may_be_the_one_meant() -> None:
    """Whoever names the registry is told that the file does not."""
    with pytest.raises(EditError, match=r"'ghcr\.io/org/app' stands here with a part"):
        found("image: {registry: '${REGISTRY}', repository: org/app, tag: '1'}\n", APP)


MALFORMED = {
    "no tag, no digest": (SetImage("org/app"), "neither a tag nor a digest"),
    "a name with a tag": (SetImage("org/app:1", "2"), "give 'org/app' as the name"),
    "a name with a digest": (SetImage(f"org/app@{OLD}", "2"), "give 'org/app' as the name"),
    "a name in upper case": (SetImage("Org/App", "2"), "repository names are in lower case"),
    "an empty name": (SetImage("", "2"), "'' is no image name"),
    "a URL": (SetImage("https://ghcr.io/org/app", "2"), "is no image name"),
    "kustomize's star": (SetImage("*", "2"), "is no image name"),
    "an empty tag": (SetImage("org/app", ""), "'' is no tag"),
    "a tag with a colon": (SetImage("org/app", ":2"), "':2' is no tag"),
    "a tag with a line break": (SetImage("org/app", "2\n"), "is no tag"),
    "a tag that is too long": (SetImage("org/app", "a" * 129), "is no tag"),
    "a tag outside ASCII": (SetImage("org/app", "é"), "is no tag"),
    "a tag with a digest": (SetImage("org/app", f"2@{NEW}"), "is no tag"),
    "a short digest": (SetImage("org/app", None, "sha256:abc"), "'sha256:abc' is no digest"),
    "a digest without algorithm": (SetImage("org/app", None, "9" * 64), "is no digest"),
    "a digest in upper case": (SetImage("org/app", None, "sha256:" + "A" * 64), "is no digest"),
    "the digits of another algorithm": (SetImage("org/app", None, "sha512:" + "a" * 64), "is no digest"),
    "an unknown algorithm": (SetImage("org/app", None, "md5:" + "a" * 32), "is no digest"),
    "an empty digest": (SetImage("org/app", "2", ""), "'' is no digest"),
}


@pytest.mark.parametrize(("operation", "sentence"), MALFORMED.values(), ids=MALFORMED)
def test_what_cannot_be_written_is_refused_first(operation: SetImage, sentence: str) -> None:
    """Whatever the file says."""
    with pytest.raises(EditError) as raised:
        found("image: org/app:1\n", operation)
    assert sentence in str(raised.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    """With the question, and with the file."""
    with pytest.raises(EditError) as raised:
        found("", SetImage("Org/App", "-", "x"))
    assert len(raised.value.problems) == 3
    with pytest.raises(EditError) as raised:
        found(f"a: {{image: 'org/app@{OLD}'}}\nb: {{image: 'org/app:$T'}}\n", SetImage("org/app", "2"))
    assert [problem.line for problem in raised.value.problems] == [1, 2]


NOWHERE = {
    "the nearest first": (
        "a: {image: nginx}\nb: {image: 'ghcr.io/org/app:1'}",
        "ghcr.io/org/ap",
        "the file has no reference to the image 'ghcr.io/org/ap'; it has ghcr.io/org/app, nginx",
    ),
    "each once": ("a: {image: 'nginx:1'}\nb: {image: 'nginx:2'}", "app", "the image 'app'; it has nginx"),
    "the registry beside": (
        "image: {registry: quay.io, repository: org/app, tag: 1}",
        "ghcr.io/org/app",
        "it has quay.io/org/app",
    ),
    "some of many": (
        "".join(f"a{number}: {{image: 'org/app{number}:1'}}\n" for number in range(7)),
        "org/app",
        ", …",
    ),
    "none": ("a: b", "org/app", "the file has no reference to the image 'org/app', nor to any other image"),
}


@pytest.mark.parametrize(("text", "name", "sentence"), NOWHERE.values(), ids=NOWHERE)
def test_a_name_that_is_not_there_is_answered_with_those_that_are(text: str, name: str, sentence: str) -> None:
    """The most similar first, five at most."""
    with pytest.raises(EditError) as raised:
        found(f"{text}\n", SetImage(name, "2"))
    assert sentence in str(raised.value)


def test_a_digest_without_a_tag_to_stand_behind_is_refused() -> None:
    """`repository@digest` is not what a chart would make of `tag: @digest`."""
    with pytest.raises(EditError, match="no tag here that the digest could be put behind"):
        found("image: {repository: org/app, tag: ''}\n", SetImage("org/app", None, NEW))


def test_sha_takes_no_other_algorithm() -> None:
    """Charts write `@sha256:` in front of it."""
    with pytest.raises(EditError, match="the digits of a sha256 digest"):
        found("image: {repository: org/app, tag: '1', sha: ''}\n", SetImage("org/app", None, LONG))


def test_an_alias_leads_to_its_own_place_and_an_anchor_that_stands_twice_nowhere() -> None:
    """The editor then says why an alias is not written through; of two anchors none is taken for the right one."""
    text = "x: &image org/app:1\na: {image: *image}\n"
    assert found(text, SetImage("org/app", "2")) == here("a.image", "org/app:2")
    with pytest.raises(EditError, match="has no reference"):
        found(f"y: &image org/web\n{text}", SetImage("org/app", "2"))


def test_each_field_means_one_document() -> None:
    """A selector by index, whatever the documents are called."""
    (field,) = fields(locate("kind: A\n---\nimage: org/app\n"), SetImage("org/app", "2"))
    assert field == SetField("image", "org/app:2", DocumentSelector(index=1))


def test_a_large_file_takes_as_much_longer_as_it_is_larger() -> None:
    """Fifty times the containers take nowhere near 2,500 times as long, and all are found."""

    def seconds(count: int) -> float:
        item = "- name: app\n  image: org/app:1\n  env: [{name: A, value: b}, {name: B, value: c}]\n"
        located = locate("containers:\n" + item * count)
        started = time.process_time()
        assert len(fields(located, SetImage("org/app", "2"))) == count
        return time.process_time() - started

    assert seconds(5_000) < 500 * min(seconds(100) for _ in range(3))


def test_asking_again_asks_for_the_same() -> None:
    """Nothing depends on what the tag was; an equal value is the editor's to leave alone."""
    once = found("image: {repository: ghcr.io/org/app, tag: '1.0'}\n", APP)
    assert found("image: {repository: ghcr.io/org/app, tag: '2.0'}\n", APP) == once
    assert found("image: {repository: ghcr.io/org/app, tag: '2.0'}\n", replace(APP, tag="3")) != once


EDITS = {
    "a container keeps its comment and quotes": (
        'containers:\n- image: \'ghcr.io/org/app:1.0\'  # {"$imagepolicy": "x"}\n  name: app\n',
        APP,
        'containers:\n- image: \'ghcr.io/org/app:2.0\'  # {"$imagepolicy": "x"}\n  name: app\n',
    ),
    "a tag that is a number gets quotes": (
        "image:\n  repository: ghcr.io/org/app\n  tag: 1.9\n",
        replace(APP, tag="1.10"),
        'image:\n  repository: ghcr.io/org/app\n  tag: "1.10"\n',
    ),
    "a tag is created": (
        "image:\n  repository: ghcr.io/org/app # ours\nreplicas: 1\n",
        APP,
        'image:\n  repository: ghcr.io/org/app # ours\n  tag: "2.0"\nreplicas: 1\n',
    ),
    "a tag is created at the root": (
        "repository: ghcr.io/org/app\npullPolicy: Always\n",
        APP,
        'repository: ghcr.io/org/app\npullPolicy: Always\ntag: "2.0"\n',
    ),
    "a tag is created in braces": (
        "image: {repository: ghcr.io/org/app}\n",
        replace(APP, tag="v2"),
        "image: {repository: ghcr.io/org/app, tag: v2}\n",
    ),
    "an empty tag is filled": (
        "image:\n  repository: ghcr.io/org/app\n  tag:\n",
        replace(APP, tag="v2"),
        "image:\n  repository: ghcr.io/org/app\n  tag: v2\n",
    ),
    "a digest gives way to a tag": (
        f"images:\n- name: ghcr.io/org/app\n  digest: {OLD}\n  newName: r.io/app\n",
        replace(APP, tag="v2", drop_digest=True),
        "images:\n- name: ghcr.io/org/app\n  newName: r.io/app\n  newTag: v2\n",
    ),
    "tag and digest in kustomize": (
        "images:\n- name: ghcr.io/org/app\n  newTag: v1\n",
        replace(APP, tag="v2", digest=NEW),
        f"images:\n- name: ghcr.io/org/app\n  newTag: v2\n  digest: {NEW}\n",
    ),
    "two strings on one line": (
        "kustomize: {images: [nginx:1, ghcr.io/org/app:1, web=ghcr.io/org/app:1]}\n",
        APP,
        "kustomize: {images: [nginx:1, ghcr.io/org/app:2.0, web=ghcr.io/org/app:2.0]}\n",
    ),
    "several documents": (
        "image: ghcr.io/org/app:1\n---\nimage: nginx\n---\nimage: ghcr.io/org/app\n",
        APP,
        "image: ghcr.io/org/app:2.0\n---\nimage: nginx\n---\nimage: ghcr.io/org/app:2.0\n",
    ),
    "a parameter is appended": (
        "helm:\n  parameters:\n  - name: image.repository\n    value: ghcr.io/org/app\n",
        replace(APP, tag="v2"),
        (
            "helm:\n  parameters:\n  - name: image.repository\n    value: ghcr.io/org/app\n"
            "  - name: image.tag\n    value: v2\n    forceString: true\n"
        ),
    ),
    "a parameter goes and the next is set": (
        (
            "helm:\n  parameters:\n  - name: i.digest\n    value: sha256:x\n  - name: i.tag\n    value: v1\n"
            "  - name: i.repository\n    value: ghcr.io/org/app\n"
        ),
        replace(APP, tag="v2", drop_digest=True),
        "helm:\n  parameters:\n  - name: i.tag\n    value: v2\n  - name: i.repository\n    value: ghcr.io/org/app\n",
    ),
    "values in a scalar": (
        "helm:\n  values: |\n    image:\n      # x\n      repository: ghcr.io/org/app\n      tag: v1\n      digest: ''",
        replace(APP, tag="v2", digest=NEW),
        (
            "helm:\n  values: |\n    image:\n      # x\n      repository: ghcr.io/org/app\n      tag: v2\n"
            f"      digest: '{NEW}'"
        ),
    ),
    "Windows line ends and a byte order mark": (
        "\ufeffimage:\r\n  repository: ghcr.io/org/app\r\n",
        replace(APP, tag="v2"),
        "\ufeffimage:\r\n  repository: ghcr.io/org/app\r\n  tag: v2\r\n",
    ),
}


@pytest.mark.parametrize(("text", "operation", "after"), EDITS.values(), ids=EDITS)
def test_an_image_is_set_with_every_other_character_as_it_was(text: str, operation: SetImage, after: str) -> None:
    """Comments, quotes, order and line ends stay; and what is so already is not touched again."""
    assert edit(text, [operation]).text == after
    again = edit(after, [operation])
    assert (again.text, again.changes) == (after, ())


def test_an_image_in_json_stays_json() -> None:
    """What is created has double quotes."""
    text = '{\n  "image": {\n    "repository": "ghcr.io/org/app"\n  }\n}\n'
    assert json.loads(edit(text, [APP], json=True).text) == {"image": {"repository": "ghcr.io/org/app", "tag": "2.0"}}


LEFT_TO_THE_EDITOR = {
    "an alias": "x: &image ghcr.io/org/app:1\na: {image: *image}",
    "an anchor with an alias": "a: {image: &image ghcr.io/org/app:1}\nb: {picture: *image}",
    "an anchored mapping": "a: &a {repository: ghcr.io/org/app, tag: 1}\nb: *a",
    "a key that stands twice": "image: ghcr.io/org/app:1\nimage: ghcr.io/org/app:1",
    "a tag of its own": "image: !mine ghcr.io/org/app:1",
}


@pytest.mark.parametrize("text", LEFT_TO_THE_EDITOR.values(), ids=LEFT_TO_THE_EDITOR)
def test_a_reference_that_no_field_may_change_is_refused(text: str) -> None:
    """The whole file stays as it is then."""
    with pytest.raises(EditError):
        edit(f"{text}\nother: {{image: 'ghcr.io/org/app:1'}}\n", [APP])


def test_two_images_are_set_in_one_go() -> None:
    """Each in its own places, and each change is told."""
    text = "a: {image: 'nginx:1'}\nb: {image: 'org/app:1'}\nc: {image: 'nginx:1'}\n"
    edited = edit(text, [SetImage("org/app", "2"), SetImage("nginx", "3")])
    assert edited.text == "a: {image: 'nginx:3'}\nb: {image: 'org/app:2'}\nc: {image: 'nginx:3'}\n"
    assert sorted((change.path, change.line, change.new) for change in edited.changes) == [
        ("a.image", 1, "'nginx:3'"),
        ("b.image", 2, "'org/app:2'"),
        ("c.image", 3, "'nginx:3'"),
    ]


def test_every_problem_of_several_images_is_said() -> None:
    """One that is not there, one that is pinned."""
    with pytest.raises(EditError) as raised:
        edit(f"image: org/app@{OLD}\n", [SetImage("org/app", "2"), SetImage("org/web", "2")])
    assert len(raised.value.problems) == 2
