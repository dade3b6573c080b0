"""Read a mapping file: text in, `MappingFile` out, or all its problems at once, each with line and column.

The shape is checked first (`mapping_problems`); then every part whose shape is right is built, whatever is wrong with
the others. Names are looked up among all that the file mentions, so that one mistake gives one sentence.
"""

from __future__ import annotations

import re
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, Literal

from bot.core import dsl, mapping_source
from bot.core.mapping import (
    ITEM,
    CommitSettings,
    Environment,
    Mapping,
    MappingFile,
    Person,
    refused_branch,
)
from bot.core.mapping_parts import TooManyProblemsError
from bot.core.mapping_schema import schema
from bot.core.mapping_updates import Updates
from bot.core.protected import Protection, never_opened, refusals
from bot.core.template import OPEN, Template
from bot.core.trigger import PAYLOAD
from bot.errors import InputError, Problem

if TYPE_CHECKING:
    from bot.core.glob import Glob
    from bot.core.mapping import Strategy
    from bot.core.mapping_source import Loc
    from bot.core.meter import Meter

__all__ = ["parse", "schema"]

_WILDCARD = re.compile(r"[*?\[\]{}\\]")

# So many problems of a file are told, and how many more there are.
MAX_TOLD = 50


def parse(text: str, name: str, meter: Meter | None = None) -> MappingFile:
    """Read the mapping file `text`; `name` is its path as the user knows it. `meter` is charged with each mapping.

    Raises InputError with every problem, in the order of the file. After a YAML syntax error there is only that one.
    """
    builder = _Builder(mapping_source.read(text, name), text)
    builder.meter = meter
    built = None
    with suppress(TooManyProblemsError):
        built = builder.file()
    if built is None or builder.problems:
        # An alias shows the same mistake once for every use.
        problems = dict.fromkeys(builder.problems)
        ordered = sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))
        told, rest = ordered[:MAX_TOLD], len(ordered) - MAX_TOLD
        if rest > 0:
            least = "" if built else "at least "
            told.append(Problem(f"{least}{rest:,} more problem{'' if rest == 1 else 's'}: fix these first", name))
        raise InputError(told)
    return built


class _Builder(Updates):
    """Builds the working types. What it returns is whole only where it found no problems."""

    meter: Meter | None = None

    def file(self) -> MappingFile:
        data = self.source.data
        given = self.get(data, ("mappings",), [])
        # The action compiles its patterns without flags.
        self.multiline = not isinstance(given, str)
        self.environments: dict[str, Any] = self.get(data, ("environments",), {})
        self.regexes = {
            name: self.pattern(pattern, ("regexes", name), name)
            for name, pattern in self.get(data, ("regexes",), {}).items()
            if isinstance(pattern, str)
        }
        variables = self._variables(self.get(data, ("variables",), {}))
        environments = [self._environment(name, ("environments", name)) for name in self.environments]
        if isinstance(given, str):
            mappings = self.dsl(given, self.regexes)
            variables = (*dsl.built_in(self.source.name), *variables)
        else:
            mappings = [self._metered(item, ("mappings", index)) for index, item in enumerate(given)]
            self._unique([mapping.name for mapping in mappings])
        commit = self._commit(self.get(data, ("commit",)), mappings)
        protection = Protection(self._allow_files(data, ("allow_files",)))
        self._warn_of_protected(mappings, protection)
        return MappingFile(
            self.source.name,
            tuple(environments),
            variables,
            self.closed is not None,
            tuple(pattern for pattern in self.regexes.values() if pattern),
            tuple(mappings),
            commit,
            float(self.get(self.get(data, ("batch",)), ("batch", "window"), 0)),
            tuple(self.warnings),
            protection,
        )

    def _variables(self, data: dict[str, Any]) -> tuple[tuple[str, Template], ...]:
        made: list[tuple[str, Template]] = []
        for name, value in data.items():
            loc: Loc = ("variables", name)
            if name == "only":
                if not isinstance(value, bool):
                    self.say(
                        loc, "'only' is true or false (may there be other variables?); no variable can be called so"
                    )
            elif not name.isidentifier() or name == PAYLOAD:
                why = "is there already" if name == PAYLOAD else "must be made of letters, digits and _"
                self.say(loc, f"a variable cannot be called '{name}': the name {why}", key=True)
            elif not isinstance(value, str):
                self.say(loc, f"the variable '{name}' must be an expression, such as {PAYLOAD}.{name}")
            elif expression := self.attempt(loc, Template.expression, value, self.source.position(loc)):
                made.append((name, expression))
        if data.get("only") is True:
            self.closed = frozenset(data) - {"only"} | (frozenset() if self.multiline else frozenset(dsl.BUILT_IN))
        return tuple(made)

    def _environment(self, name: str, loc: Loc) -> Environment:
        data = self.environments[name]
        files = self._globs(data, (*loc, "files"), "the files of an environment")
        following = self.get(data, (*loc, "next"))
        if following is not None and (following not in self.environments or following == name):
            hint = self.hints.did_you_mean(following, self.environments)
            self.say((*loc, "next"), f"there is no other environment '{following}' to go to next{hint}")
        return Environment(name, tuple(glob for glob, _ in files), following, self.line(loc))

    def _allow_files(self, data: Any, loc: Loc) -> tuple[Glob, ...]:
        globs = self._globs(data, loc, "the 'allow_files'")
        for glob, place in globs:
            if why := next((why for path in glob.plain if (why := never_opened(path))), None):
                self.say(place, why)
        return tuple(glob for glob, _ in globs)

    def _globs(self, data: Any, loc: Loc, what: str) -> list[tuple[Glob, Loc]]:
        """Read globs that have no expressions, each with its location."""
        globs = []
        for path, place in self.texts(data, loc):
            if OPEN in path:
                self.say(place, f"{what} are globs without expressions")
            elif glob := self.glob(path, place):
                globs.append((glob, place))
        return globs

    def _warn_of_protected(self, mappings: list[Mapping], protection: Protection) -> None:
        """Warn of each fixed path that ends as denied; one with expressions is known when it is rendered."""
        templates = [template for mapping in mappings for update in mapping.update for template in update.files]
        fixed = [template for template in templates if template.is_fixed and not _WILDCARD.search(template.source)]
        refused = self.attempt(("allow_files",), refusals, [template.source for template in fixed], protection) or {}
        self.warnings += [
            template.position.problem(f"a change here ends as denied: {refused[template.source]}")
            for template in fixed
            if template.source in refused
        ]

    def _metered(self, data: Any, loc: Loc) -> Mapping:
        with self.meter.charge(f"the mapping in line {self.line(loc)}") if self.meter else nullcontext():
            return self._mapping(data, loc)

    def _mapping(self, data: Any, loc: Loc) -> Mapping:
        environment = self.get(data, (*loc, "environment"))
        if environment is not None and environment not in self.environments:
            hint = self.hints.did_you_mean(environment, self.environments) or "; add it under 'environments:'"
            self.say((*loc, "environment"), f"there is no environment '{environment}'{hint}")
        for_each, own = self._for_each(data, (*loc, "for_each"))
        when = self.condition(self.get(data, (*loc, "when"), {}), (*loc, "when"), own)
        if ITEM in when.captures & own:
            self.say((*loc, "when"), f"a group cannot be called '{ITEM}' here: that is the item of 'for_each'")
        own |= when.captures
        updates = enumerate(self.get(data, (*loc, "update"), []))
        made = [self.update(item, (*loc, "update", index), own) for index, item in updates]
        branch = self._branch(data, (*loc, "branch"), own)
        on = frozenset(text for text, _ in self.texts(data, (*loc, "on")))
        name = self.get(data, (*loc, "name"), "")
        update = tuple(update for update in made if update)
        order: Literal["semver"] | None = "semver" if self.get(data, (*loc, "order")) == "semver" else None
        urgent = self.get(data, (*loc, "priority")) == "high"
        return Mapping(name, environment, on or None, when, update, self.line(loc), for_each, branch, order, urgent)

    def _for_each(self, data: Any, loc: Loc) -> tuple[Template | None, frozenset[str]]:
        """Read the expression, and say which variables are there because of it."""
        text = self.get(data, loc)
        if text is None:
            return None, frozenset()
        template = self.attempt(loc, Template.expression, text, self.source.position(loc))
        if template:
            self.known(template.names, frozenset(), loc)
        return template, frozenset({ITEM})

    def _branch(self, data: Any, loc: Loc, own: frozenset[str]) -> Template | None:
        text = self.get(data, loc)
        template = self.template(text, loc) if text is not None else None
        if template:
            # With expressions its name is known, and checked, when it is rendered.
            if template.is_fixed and (refusal := refused_branch(text)):
                self.say(loc, refusal)
            self.known(template.names, own, loc)
        return template

    def _unique(self, names: list[str]) -> None:
        first: dict[str, int] = {}
        for index, name in enumerate(names):
            loc: Loc = ("mappings", index, "name")
            if name and name in first:
                self.say(loc, f"a mapping is called '{name}' already, in line {first[name]}: give it another name")
            first.setdefault(name, self.line(loc))

    def _commit(self, data: Any, mappings: list[Mapping]) -> CommitSettings:
        loc: Loc = ("commit", "message")
        text = self.get(data, loc)
        message = self.template(text, loc) if text else None
        if message:
            captures = frozenset(name for mapping in mappings for name in mapping.when.captures)
            self.known(message.names, captures, loc)
        author, committer = (self._person(data, ("commit", role)) for role in ("author", "committer"))
        if author or committer:
            # https://docs.github.com/en/authentication/managing-commit-signature-verification
            self.warn(
                ("commit", "author" if author else "committer"),
                "GitHub does not sign a commit whose author or committer is given, so it shows as unverified: leave "
                "both out if you want verified commits",
            )
        return CommitSettings(message, author, committer or author, self._strategy(data, author, committer))

    def _strategy(self, data: Any, author: Person | None, committer: Person | None) -> Strategy:
        loc: Loc = ("commit", "strategy")
        strategy: Strategy = self.get(data, loc, "auto")
        if strategy == "graphql" and (author or committer):
            self.say(loc, "createCommitOnBranch cannot set an author; use auto or git-data")
        if strategy == "contents" and committer and not author:
            self.say(
                loc, "the Contents API makes the committer the author too; give an author, or use auto or git-data"
            )
        return strategy

    def _person(self, data: Any, loc: Loc) -> Person | None:
        person = self.get(data, loc)
        if person is None or not self.fine(loc):
            return None
        return Person(person["name"], person["email"])
