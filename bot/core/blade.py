"""Commit templates in Blade, Laravel's template language, as templates of ours.

What people use of it in commit messages: `{{ $name }}`, `@if` and its relatives with `isset`, `empty` and comparisons.
The rules are those of Blade's compiler (https://laravel.com/docs/9.x/blade), but for what a commit message is better
off with: nothing is escaped as HTML; a condition on a variable that is not there does not hold, where PHP stops; text
is compared as text; `@if`, `@else` and `@endif` may follow a letter, as in `yes@else`, where Blade takes them for text.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import regex

from bot.core.blade_php import condition, literal, value
from bot.core.template import OPEN, Position, Template
from bot.errors import InputError

_TOKEN = regex.compile(
    r"""(?<comment>\{\{--.*?--\}\})
      | @(?<plain>\{\{.*?\}\}|\{!!.*?!!\})
      | \{!!(?<raw>(?:(?!\{!!).)*?)!!\}
      | \{\{(?<echo>(?:(?!\{\{).)*?)\}\}
      | (?<unclosed>\{\{|\{!!)
      | (?:\B@(?<escape>@)?|@(?=(?:else|end(?:if|unless|isset|empty))\b|(?:if|elseif|unless|isset|empty)[ \t]*\())
        (?<directive>\w+)
        (?:[ \t]*(?<arguments>\((?:[^()'"]|'[^']*'|"[^"]*"|(?&arguments))*+\)))?""",
    regex.VERBOSE | regex.DOTALL,
)
_OPENING = {"if": "endif", "unless": "endunless", "isset": "endisset", "empty": "endempty"}
_CLOSING = {"else", "elseif", *_OPENING.values()}
# What Blade knows as well (an @word that it does not know is text).
_OTHERS = regex.compile(
    r"""(?:end)?(?:foreach|for|forelse|while|switch|php|once|push|section|verbatim|auth|guest|can|cannot|env|error
      |production) | case | break | continue | default | include\w* | json | dd | dump | inject | lang | choice | stack
      | yield | extends | class | checked | selected | disabled""",
    regex.VERBOSE,
)


@dataclass(slots=True)
class _Block:
    """An @if that is open: its branches so far, each with its condition, and what its current branch holds."""

    directive: str
    position: int
    condition: str
    branches: list[tuple[str, str]] = field(default_factory=list)
    pieces: list[_Piece] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Fixed text, or an expression; one that is a choice needs parentheses inside another one."""

    text: str
    fixed: bool = False
    choice: bool = False


def translate(text: str) -> str:
    """Return the Blade template `text` as a template with `${{ … }}`, as `Template.parse` takes it.

    A text without Blade comes back as it is, and so does one that has `${{` already.

    Raises InputError, with the character counted from 1, for Blade that is malformed or does more than variables and
    conditions.
    """
    if OPEN in text:
        return text
    blocks = [_Block("", 0, "")]
    end = 0
    for token in _TOKEN.finditer(text):
        _say(blocks, text[end : token.start()])
        end = token.end()
        try:
            _take(blocks, token)
        except InputError as error:
            sentence = "; ".join(problem.sentence for problem in error.problems)
            raise InputError(f"the commit template, at character {token.start() + 1}: {sentence}") from None
        if _is_statement(token) and text[end : end + 1] == "\n":
            end += 1  # PHP takes the line break after a statement with it
    _say(blocks, text[end:])
    if len(blocks) > 1:
        block = blocks[-1]
        raise InputError(
            f"the commit template opens @{block.directive} at character {block.position} and never closes it "
            f"with @{_OPENING[block.directive]}"
        )
    made = "".join(
        piece.text.replace(OPEN, f"{OPEN} '{OPEN}' }}}}") if piece.fixed else f"{OPEN} {piece.text} }}}}"
        for piece in blocks[0].pieces
    )
    Template.parse(made, Position("the commit template"))
    return made


def _say(blocks: list[_Block], text: str) -> None:
    pieces = blocks[-1].pieces
    if pieces and pieces[-1].fixed:
        text = pieces.pop().text + text
    if text:
        pieces.append(_Piece(text, fixed=True))


def _is_statement(token: regex.Match[str]) -> bool:
    return not token["escape"] and (token["directive"] in _OPENING or token["directive"] in _CLOSING)


def _take(blocks: list[_Block], token: regex.Match[str]) -> None:
    """Put one piece of Blade where it belongs."""
    name = token["directive"]
    echo = token["echo"] if token["echo"] is not None else token["raw"]
    if token["comment"]:
        return
    if token["unclosed"]:
        raise InputError(_unclosed(token))
    if token["plain"]:
        _say(blocks, token["plain"])
    elif echo is not None:
        blocks[-1].pieces.append(_Piece(value(echo)))
    elif token["escape"]:
        _say(blocks, token[0][1:])
    elif name in _OPENING:
        blocks.append(_Block(name, token.start() + 1, _condition(name, _arguments(token))))
    elif name in _CLOSING and (len(blocks) > 1 or not regex.search(r"\w\Z", token.string, endpos=token.start())):
        _close(blocks, name, token)
    elif _OTHERS.fullmatch(name):
        raise InputError(
            f"@{name} has no counterpart in a commit message: use {{{{ $name }}}} and @if … @endif, or write the "
            f"message with {OPEN} … }}}}"
        )
    else:
        _say(blocks, token[0])


def _unclosed(token: regex.Match[str]) -> str:
    opened, closing = token[0], "}}" if token[0] == "{{" else "!!}"
    end = regex.match(r"[^{})]*([})]+)", token.string, pos=token.end())
    hint = f": what stands there is '{end[1]}'" if end else ""
    return f"'{opened}' is never closed with '{closing}'{hint}"


def _arguments(token: regex.Match[str]) -> str:
    if token["arguments"] is None:
        directive = token["directive"]
        raise InputError(f"@{directive} needs its condition in parentheses, such as @{directive}($name), all closed")
    return token["arguments"][1:-1]


def _condition(directive: str, arguments: str) -> str:
    """Return the condition that an opening directive, or @elseif, stands for."""
    match directive:
        case "isset":
            return condition(f"isset({arguments})")
        case "empty":
            return condition(f"empty({arguments})")
        case "unless":
            return condition(f"!({arguments})")
    return condition(arguments)


def _close(blocks: list[_Block], directive: str, token: regex.Match[str]) -> None:
    """End a branch: with @else and @elseif another one begins, else the block becomes one piece."""
    if len(blocks) == 1:
        raise InputError(f"@{directive} stands where no @if is open")
    block = blocks[-1]
    if directive in _OPENING.values() and directive != _OPENING[block.directive]:
        raise InputError(f"@{directive} stands where @{_OPENING[block.directive]} should close @{block.directive}")
    if directive not in _OPENING.values() and not block.condition:
        raise InputError(f"@{directive} stands after @else, which is the last branch")
    branch = _joined(block.pieces)
    block.branches.append((branch, block.condition))
    block.pieces = []
    block.condition = _condition("if", _arguments(token)) if directive == "elseif" else ""
    if directive in {"else", "elseif"}:
        return
    blocks.pop()
    blocks[-1].pieces.append(_Piece(_choice(block.branches), choice=True))


def _choice(branches: list[tuple[str, str]]) -> str:
    *conditional, (last, asked) = branches
    if asked:  # there was no @else
        conditional, last = branches, "''"
    return " ".join([*(f"{branch} if {asked} else" for branch, asked in conditional), last])


def _joined(pieces: list[_Piece]) -> str:
    """Return the pieces of one branch as one expression."""
    return " ~ ".join(
        literal(piece.text) if piece.fixed else f"({piece.text})" if piece.choice else piece.text for piece in pieces
    ) or literal("")
