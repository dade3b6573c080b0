"""Rules for pushes by git: a hook of the repository, which git runs for each ref, refuses in GitHub's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.objects import EMPTY_TREE, HEADS, ZERO

if TYPE_CHECKING:
    from bot.sandbox.repository import Repository

# The sandbox verifies no signatures of people, so "signatures" refuses every push. RULES has a line for each rule: a
# ref, a tab, the sentence. PUSH_RULES has one for each push rule: kind, value and sentence with tabs between. The first
# line of a refusal is that of docs.github.com, "Troubleshooting rules".
FORMS = "(gh[pousr]_[A-Za-z0-9]{36}|AKIA[0-9A-Z]{16})"
HOOK = f"""\
#!/bin/sh
ref=$1 old=$2 new=$3 tab=$(printf '\\t') refused=
[ "$old" = {ZERO} ] && old={EMPTY_TREE}
say() {{
  refused=yes
  echo "error: GH013: Repository rule violations found for $ref." >&2
  echo "- $1" >&2
}}
while IFS=$tab read -r branch sentence; do
  [ "$branch" = "$ref" ] && say "$sentence"
done <<END
$RULES
END
[ "$new" = {ZERO} ] || while IFS=$tab read -r kind value sentence; do
  while IFS= read -r path; do
    size=$(git cat-file -s "$new:$path" 2>/dev/null) || continue
    case $kind in
    "file path") case $path in $value) say "$sentence" ;; esac ;;
    "file extension") case $path in *."$value") say "$sentence" ;; esac ;;
    "file size") [ "$size" -gt "$value" ] && say "$sentence" ;;
    "secret scanning") git grep -qE '{FORMS}' "$new" -- "$path" && say "$sentence" ;;
    esac
  done <<FILES
$(git -c core.quotePath=false diff --name-only "$old" "$new")
FILES
done <<END
$PUSH_RULES
END
[ -z "$refused" ]
"""


def environment(repo: Repository) -> dict[str, str]:
    """Write the hook where a repository has rules; give the variables that tell it which."""
    if not repo.protected and not repo.push_rules:
        return {}
    path = repo.path / "hooks" / "update"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HOOK)
    path.chmod(0o755)
    rules = [f"{HEADS}{branch}\t{rule.sentence}" for branch, kept in repo.protected.items() for rule in kept]
    # A tab beside another would be one separator to the shell, so no value is empty.
    pushes = [f"{rule.kind}\t{rule.value or '-'}\t{rule.sentence}" for rule in repo.push_rules]
    return {"RULES": "\n".join(rules), "PUSH_RULES": "\n".join(pushes)}
