"""Bodies that came before, the deliveries that are held back because of that, and the ids of accounts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.core.model import Held
from bot.errors import Busy
from bot.inbox.file import transaction
from bot.inbox.statements import load_statements

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from bot.core.model import Delivery

_SQL = load_statements("holds.sql")

# How many deliveries may be held back at a time: with the same body, of one installation, and in all. An installation
# that sends the same dispatches again and again must not keep out those of others.
MOST_HELD_OF_BODY, MOST_HELD_OF_INSTALLATION, MOST_HELD = 10, 200, 1_000
# The pause before the first look at GitHub's list, which has a delivery only after it was answered.
FIRST_LOOK_SECONDS = 2.0


class Holds:
    """Holds deliveries back whose body came before under another id. Uses the database connection of the inbox."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def see(self, delivery: str, event: str, digest: bytes) -> None:
        """Note that a body is carried out, so that it is known if it comes again under another id."""
        seen = {"digest": digest, "delivery": delivery, "event": event, "received_at": datetime.now(UTC).isoformat()}
        self._connection.execute(_SQL["see"], seen)

    def hold_of(self, delivery: Delivery) -> str | None:
        """Return why a new delivery must be held back, None if it need not be. Raises Busy if too many are."""
        wanted = {"id": delivery.id, "digest": delivery.digest, "installation": delivery.installation}
        seen = self._connection.execute(_SQL["seen"], wanted).fetchone()
        if seen is None or self._connection.execute(_SQL["known"], wanted).fetchone():
            return None
        held = self._connection.execute(_SQL["count_held"], wanted).fetchone()
        bounds = {
            "of_body": MOST_HELD_OF_BODY,
            "of_installation": MOST_HELD_OF_INSTALLATION,
            "of_all": MOST_HELD,
        }
        if any(held[name] >= most for name, most in bounds.items()):
            raise Busy("too many deliveries with a body that came before wait for a look at GitHub's list")
        return f"held: the same body came as delivery {seen['delivery']}; GitHub's list is asked for this one"

    async def held(self) -> Sequence[Held]:
        """Return the deliveries that are held back, in order of arrival."""
        return [
            Held(
                row["id"],
                row["event"],
                row["target"],
                datetime.fromtimestamp(row["hold_since"], UTC),
                datetime.fromtimestamp(row["hold_until"], UTC),
            )
            for row in self._connection.execute(_SQL["held"])
        ]

    async def hold(self, deliveries: Sequence[str], until: datetime) -> None:
        """Note when to look again at deliveries that are held back."""
        self._change("hold_on", [{"id": delivery, "until": until.timestamp()} for delivery in deliveries])

    async def release(self, deliveries: Sequence[str]) -> None:
        """Let held deliveries go."""
        with transaction(self._connection):
            for delivery in deliveries:
                for row in self._connection.execute(_SQL["release"], {"id": delivery}).fetchall():
                    self.see(delivery, row["event"], row["digest"])

    async def refuse(self, deliveries: Sequence[str], reason: str) -> None:
        """End held deliveries as `ignored`; nothing of their bodies stays."""
        self._change(
            "refuse",
            [{"id": one, "reason": reason, "finished_at": datetime.now(UTC).isoformat()} for one in deliveries],
        )

    async def accounts(self) -> Mapping[str, int]:
        """Return the ids of the accounts that logins (in lower case) were found to mean."""
        return {row["login"]: row["id"] for row in self._connection.execute(_SQL["accounts"])}

    async def know_account(self, login: str, account: int) -> None:
        """Note which account a login (in lower case) means, for ever; the first one stays."""
        self._connection.execute(
            _SQL["know_account"], {"login": login, "id": account, "known_at": datetime.now(UTC).isoformat()}
        )

    def _change(self, name: str, rows: Sequence[dict[str, object]]) -> None:
        with transaction(self._connection):
            self._connection.executemany(_SQL[name], rows)
