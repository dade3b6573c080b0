r"""Globs over the paths of a repository: relative, with `/`, case-sensitive.

`**/` stands for zero or more directories, `**` elsewhere for anything, `*` and `?` for anything but a slash,
`[a-z]` and `[!a-z]` (or `[^a-z]`) for one character and never a slash, `{a,b}` for alternatives, nested ones too.
A backslash takes its meaning from the wildcard that follows. Dotfiles match, nothing below `.git/` ever does, however
that is spelt (see `git_paths`).

Braces are expanded first, as a shell does, then every alternative is translated by itself; that makes `{a/,}**/b`
mean what it says. All matching has a time limit: a glob with many stars can backtrack as any pattern can.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import regex

from bot.core import git_paths
from bot.core.braces import MAX_LENGTH, expand
from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SECONDS = 1.0
# Of so many lines that have a text each is found by itself faster than all lines are searched.
_FEW = 2_000

_SPECIAL = "\\*?[]{},!^-"
_ESCAPED = str.maketrans({character: f"\\{character}" for character in _SPECIAL})
_TOKEN = regex.compile(
    r"""(?<escape>\\.?)|(?<stars>\*{2,}/?)|(?<star>\*)|(?<question>\?)
      |\[(?<negate>[!^])?(?<set>\]?(?:\\.|[^\]\\])*)(?<close>\])?|(?<literal>[^\\*?\[]+)""",
    regex.VERBOSE | regex.DOTALL,
)


@dataclass(frozen=True)
class Glob:
    """One glob, checked when it is made.

    Raises InputError where `pattern` is empty, too long or not a glob. Whether it is a path we would touch at all is
    for `check_path` to say.
    """

    pattern: str

    def __post_init__(self) -> None:
        if not self.pattern:
            raise InputError("the glob is empty: write a path such as environments/dev/values.yaml")
        # An error belongs here, not at the first use. A path without wildcards is always a valid expression.
        if self.literal is None:
            _ = self._expression

    @classmethod
    def of(cls, path: str) -> Glob:
        """Return the glob that means just this path. Nothing is parsed or compiled for it."""
        glob = cls.__new__(cls)
        glob.__dict__.update(pattern=escape(path), literal=path, plain=(path,))
        return glob

    def __getstate__(self) -> dict[str, object]:
        """Go to another process as what is asked of every glob there; the rest is made anew if it is needed."""
        return {"pattern": self.pattern, "literal": self.literal, "prefix": self.prefix}

    @cached_property
    def _tokens(self) -> list[list[_Token]]:
        return [_tokens(alternative, self.pattern) for alternative in expand(self.pattern)]

    @cached_property
    def _expression(self) -> regex.Pattern[str]:
        return regex.compile(self.source)

    @cached_property
    def source(self) -> str:
        """The regular expression, to be matched from start to end; it never crosses a line break."""
        alternatives = ["".join(token.source for token in tokens) for tokens in self._tokens]
        return f"(?:{'|'.join(alternatives)})"

    @cached_property
    def literal(self) -> str | None:
        """The path itself where the glob has neither wildcard nor alternative, else None."""
        if len(self._tokens) > 1 or any(token.wild for token in self._tokens[0]):
            return None
        return self.plain[0]

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """Every alternative without escapes, its wildcards as written."""
        return tuple("".join(token.text for token in tokens) for tokens in self._tokens)

    @cached_property
    def wildcards(self) -> int:
        """How many characters of all alternatives are wildcards and classes, which take the longest to compile."""
        return sum(len(token.text) for tokens in self._tokens for token in tokens if token.wild)

    @cached_property
    def prefix(self) -> str:
        """The longest directory, without a final slash, below which all matches are; empty where that is the root."""
        directories = [_literal_start(tokens).split("/")[:-1] for tokens in self._tokens]
        shared = []
        for segments in zip(*directories, strict=False):
            if len(set(segments)) > 1:
                break
            shared.append(segments[0])
        return "/".join(shared)

    @cached_property
    def _fixed(self) -> tuple[str, ...]:
        """Of every alternative the longest text that each of its matches has in it."""
        runs = ("".join("\n" if token.wild else token.text for token in tokens).split("\n") for tokens in self._tokens)
        return tuple(max(found, key=len) for found in runs)

    def candidates(self, lines: str) -> set[str] | None:
        """Return those of the lines that may match, None where too many may to look for them one by one."""
        if any(not text or lines.count(text) > _FEW for text in self._fixed):
            return None
        found = set()
        for text in self._fixed:
            at = lines.find(text)
            while at >= 0:
                end = lines.find("\n", at)
                end = len(lines) if end < 0 else end
                found.add(lines[lines.rfind("\n", 0, at) + 1 : end])
                at = lines.find(text, end)
        return found

    def matches(self, path: str) -> bool:
        """Whether `path`, relative to the root, is meant."""
        return not git_paths.in_git(path) and bool(_guarded(self.pattern, self._expression, path, partial=False))

    def may_contain(self, directory: str) -> bool:
        """Whether some path below `directory` (no final slash; the root is empty) could match."""
        if not directory:
            return True
        return not git_paths.in_git(directory) and _guarded(
            self.pattern, self._expression, f"{directory}/", partial=True
        )


class Globs:
    """Several globs as one: a single pass over all paths, however many there are."""

    def __init__(self, globs: Sequence[Glob]) -> None:
        self.globs = tuple(globs)

    def filter(self, paths: Iterable[str]) -> list[str]:
        """Those of `paths` that one of the globs matches, in their order.

        A path with a line break is none: no glob means it. Raises InputError when matching takes too long.
        """
        if not self.globs:
            return []
        kept = [path for path in paths if path and "\n" not in path]
        lines = "\n".join(kept)
        # Fifty globs at every one of 100,000 paths take a second; most name something that few paths have.
        some: set[str] = set()
        others = []
        for glob in self.globs:
            found = glob.candidates(lines) if len(self.globs) > 1 else None
            if found is None:
                others.append(glob)
            else:
                some |= found
        matched = self._search(self.globs, "\n".join(some)) | self._search(others, lines)
        return [path for path in kept if path in matched and not git_paths.in_git(path)]

    def _search(self, globs: Sequence[Glob], lines: str) -> set[str]:
        """Return the lines that a glob matches: one search has one time limit, a call per path would have one each."""
        if not globs or not lines:
            return set()
        alternation = "|".join(glob.source for glob in globs)
        expression = regex.compile(f"^(?:{alternation})$", regex.MULTILINE)
        try:
            return {found.group() for found in expression.finditer(lines, timeout=SECONDS)}
        except TimeoutError:
            raise InputError(_too_slow(", ".join(glob.pattern for glob in self.globs))) from None

    def may_contain(self, directory: str) -> bool:
        """Whether some path below `directory` could match one of the globs."""
        return any(glob.may_contain(directory) for glob in self.globs)


def escape(value: str) -> str:
    """`value` as a glob that matches just it, also where it lands inside braces or a class."""
    return value.translate(_ESCAPED)


def check_path(glob: str) -> str | None:
    """Why a rendered path or glob is refused, as a sentence, or None where it is fine.

    Every alternative must stay inside the repository whatever reads it later. A path that is no glob is checked as
    `check_path(escape(path))`.
    """
    try:
        made = Glob(glob)
    except InputError as error:
        return error.problems[0].sentence
    return refused_path(made)


def refused_path(glob: Glob) -> str | None:
    """Say what `check_path` does of a glob that is made already."""
    return next((sentence for path in glob.plain if (sentence := _refused(path, glob.pattern))), None)


def _refused(path: str, glob: str) -> str | None:
    segments = path.split("/")
    reasons = {
        f"is {len(path)} characters long; {MAX_LENGTH} are the limit": len(path) > MAX_LENGTH,
        "has a control character": any(unicodedata.category(character) == "Cc" for character in path),
        "has a backslash; directories are separated by /": "\\" in path,
        "is absolute; write it relative to the root of the repository, without the first /": path.startswith("/"),
        "has an empty part: it ends in / or has two of them in a row": "" in segments,
        "has a '.' or '..' as a part; write where it leads": "." in segments or ".." in segments,
        "leads into .git, which is never touched": git_paths.in_git(path),
    }
    shown = glob if len(glob) <= 200 else f"{glob[:200]}…"
    return next((f"the path {shown!r} {reason}" for reason, holds in reasons.items() if holds), None)


@dataclass(frozen=True, slots=True)
class _Token:
    source: str
    text: str
    wild: bool = True


def _tokens(alternative: str, glob: str) -> list[_Token]:
    """Cut a glob without braces into pieces, each with the expression it stands for."""
    tokens: list[_Token] = []
    for found in _TOKEN.finditer(alternative):
        text = found.group()
        if found["escape"]:
            tokens.append(_escaped(text, glob))
        elif found["stars"]:
            at_segment_start = not tokens or tokens[-1].text.endswith("/")
            slash = text.endswith("/")
            directories = r"(?:[^\n]*/)?" if at_segment_start else r"[^\n]*/"
            tokens.append(_Token(directories if slash else r"[^\n]*", text))
        elif found["star"]:
            tokens.append(_Token(r"[^/\n]*", text))
        elif found["question"]:
            tokens.append(_Token(r"[^/\n]", text))
        elif found["set"] is not None:
            tokens.append(_Token(_class(found, glob), text))
        else:
            tokens.append(_Token(regex.escape(text), text, wild=False))
    return tokens


def _escaped(text: str, glob: str) -> _Token:
    character = text[1:]
    if not character or character not in _SPECIAL:
        raise InputError(
            f"the glob {glob!r} has a backslash that escapes nothing: it stands before one of * ? [ ] {{ }} , ! ^ - \\ "
            "only, and directories are separated by /"
        )
    return _Token(regex.escape(character), character, wild=False)


def _class(found: regex.Match[str], glob: str) -> str:
    """`[...]` as an expression for one character that is not a slash."""
    if not found["close"]:
        raise InputError(f"the glob {glob!r} opens a class with [ and never closes it; write \\[ for the character")
    body = found["set"]
    if "/" in body:
        raise InputError(f"the glob {glob!r} has a slash inside [...], which never matches one")
    if body.startswith("[:"):
        raise InputError(f"the glob {glob!r} uses a named class; write the characters, such as [a-z0-9]")
    characters = regex.findall(r"\\.|[^\\]", body, regex.DOTALL)
    ranges: list[str] = []
    while characters:
        first = characters.pop(0)[-1]
        last = first
        if len(characters) > 1 and characters[0] == "-":
            last = characters[1][-1]
            del characters[:2]
        if last < first:
            raise InputError(f"the glob {glob!r} has a range that ends before it starts: {first}-{last}")
        ranges.append(f"{_code(first)}-{_code(last)}")
    inside = "".join(ranges)
    return rf"[^/\n{inside}]" if found["negate"] else rf"(?![/\n])[{inside}]"


def _code(character: str) -> str:
    return f"\\U{ord(character):08x}"


def _literal_start(tokens: list[_Token]) -> str:
    start = ""
    for token in tokens:
        if token.wild:
            break
        start += token.text
    return start


def _guarded(glob: str, expression: regex.Pattern[str], path: str, *, partial: bool) -> bool:
    try:
        return expression.fullmatch(path, partial=partial, timeout=SECONDS) is not None
    except TimeoutError:
        raise InputError(_too_slow(glob)) from None


def _too_slow(globs: str) -> str:
    return f"matching the glob {globs[:200]!r} was stopped after {SECONDS:g} s: use fewer * in it"
