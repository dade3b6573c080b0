"""Files as they are in repositories, of any size, the same in every run; and the paths of a large repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable


class Text(NamedTuple):
    """A generated file, and the string in its middle that an edit sets: its field path, and its keys one by one."""

    name: str
    text: str
    field: str
    way: tuple[str, ...]


def values(size: int) -> Text:
    """Make Helm values of about `size` bytes: comments as chart authors write them, nested maps, lists, quoted tags."""
    text, count = _grown(size, "# Default values for the platform chart.\n\n", _service)
    name = f"service-{count // 2:04}"
    return Text("values", text, f"{name}.image.tag", (name, "image", "tag"))


def dense(size: int) -> Text:
    """Make something like a custom resource definition of about `size` bytes: hardly any comment, short values."""
    text, count = _grown(size, _CRD_HEAD, _property)
    way = ("spec", "schema", "properties", f"field{count // 2:05}", "properties", "image", "default")
    return Text("dense", text, ".".join(way), way)


def events(text: Text) -> int:
    """Count the YAML events of a file."""
    return sum(1 for _ in yaml.parse(text.text, Loader=yaml.CSafeLoader))


def paths(count: int) -> list[str]:
    """Make the paths of a repository with environments, services and their files, sorted as Git sorts them."""
    environments = ("dev", "qa", "staging", "prod")
    made = []
    for number in range(count // 5 + 1):
        service, environment = f"service-{number // 4}", environments[number % 4]
        folder = f"environments/{environment}/{service}"
        made += [f"{folder}/values.yaml", f"{folder}/kustomization.yaml", f"{folder}/templates/deployment.yaml"]
        made += [f"apps/team-{number % 97}/{service}-{environment}.yml", f"docs/services/{number}/README.md"]
    return sorted(made[:count])


def _grown(size: int, head: str, block: Callable[[int], str]) -> tuple[str, int]:
    """Add block after block until the text has `size` characters; give it and their number."""
    parts, length, count = [head], len(head), 0
    while length < size:
        part = block(count)
        parts.append(part)
        length, count = length + len(part), count + 1
    return "".join(parts), count


_SERVICE = """\
## @section {name} parameters
## What the chart deploys for {name}. Whatever is left out here falls back to what the
## section for all services says, and what is not there either to the chart's own values.
##
{name}:
  ## @param {name}.enabled Whether {name} is deployed at all
  ##
  enabled: {enabled}
  ## The image of {name}
  ## ref: https://registry.example.org/v2/acme/{name}/tags/list
  ## @param {name}.image.registry The registry that the image comes from, without a scheme
  ## @param {name}.image.repository The repository of the image
  ## @param {name}.image.tag The tag; always in quotes, as some tags look like numbers
  ## @param {name}.image.digest The digest in the form sha256:aa...; it overrides the tag
  ##
  image:
    registry: registry.example.org
    repository: acme/{name}
    tag: "1.{minor}.{patch}-debian-12-r{patch}"
    digest: ""
    ## Use 'Always' where the tag is 'latest', otherwise 'IfNotPresent'
    ## ref: https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy
    ##
    pullPolicy: IfNotPresent
  ## @param {name}.replicaCount How many pods there are as long as no autoscaler is enabled
  replicaCount: {patch}  # the autoscaler starts from here
  ## Requests and limits of the container. We leave the limits to whoever deploys the chart:
  ## they are hard to guess, and wrong ones keep the pods from being scheduled on small nodes.
  ## ref: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
  ## Example:
  ## resources:
  ##   limits:
  ##     cpu: 500m
  ##     memory: 1024Mi
  ##
  resources:
    requests: {{cpu: 250m, memory: 256Mi}}
  ## Variables for the container, as they are written in a pod; those that the chart itself
  ## needs are put in front of them. What holds a secret belongs into extraEnvVarsSecret.
  ## ref: https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/
  ## e.g:
  ## extraEnvVars:
  ##   - name: FOO
  ##     value: "bar"
  ##
  extraEnvVars:
    - name: LOG_LEVEL
      value: 'info'
    - name: UPSTREAM
      value: "https://service-{upstream:04}.{name}.svc.cluster.local:8443/api/v1"
  ## Where {name} can be reached from outside
  ## ref: https://kubernetes.io/docs/concepts/services-networking/ingress/
  ##
  ingress:
    hosts:
      - {name}.example.org
  ## @param {name}.config What stands in the configuration file of {name}
  ##
  config: |
    # Read once at the start; a change of it restarts the pods, as they have its hash as an annotation.
    [server]
    listen = "0.0.0.0:{port}"
    workers = {patch}

"""


def _service(number: int) -> str:
    return _SERVICE.format(
        name=f"service-{number:04}",
        enabled="true" if number % 3 else "false",
        minor=number % 30,
        patch=number % 7,
        upstream=number * 7 % 1000,
        port=8000 + number % 1000,
    )


_CRD_HEAD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: workloads.example.org
spec:
  schema:
    type: object
    properties:
"""


def _property(number: int) -> str:
    return f"""\
      field{number:05}:
        description: |-
          Field {number} tells how the workload is run. It may be left out, then it is what the controller
          was started with. A change of it restarts all pods one after the other, unless the strategy
          is Recreate: then all of them are stopped before the first new one is started.

          More info: https://example.org/docs/concepts/workloads#field{number:05}
        type: object
        required:
        - image
        properties:
          image:
            description: |-
              The image that the container runs, with a tag or a digest. It defaults to the one of the
              release that the controller belongs to.
            type: string
            default: v1.{number % 50}.0
          ports:
            description: |-
              The ports that the container listens on. Leaving one out does not keep it from being
              reached; whatever listens on 0.0.0.0 is. This cannot be updated.
            type: array
            items:
              type: integer
          mode:
            description: |-
              When the image is pulled: Always, Never or IfNotPresent. It defaults to Always where the
              tag is latest, and to IfNotPresent otherwise. This cannot be updated.
            type: string
"""
