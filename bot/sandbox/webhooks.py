"""Signed webhooks: what GitHub sends to the App, in order for each repository, and the list of deliveries."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import uuid
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import aiohttp

from bot.sandbox.chance import Odds, dice
from bot.sandbox.shapes import timestamp

if TYPE_CHECKING:
    from bot.sandbox.installation import Installation
    from bot.sandbox.repository import Repository
    from bot.sandbox.sandbox import Sandbox

# GitHub gives a receiver ten seconds; docs.github.com, "Best practices for using webhooks".
ANSWER_SECONDS = 10
KEPT = 10_000
# How long a delivery that was put off waits for others to come before it, and how soon it comes in between them.
LATE_SECONDS, LATE_CHANCE = 0.2, 0.3


def sign(secret: str, body: bytes) -> str:
    """Give the value of `X-Hub-Signature-256`; docs.github.com, "Validating webhook deliveries"."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass
class Delivery:
    """One webhook sent, or to be sent: the answer's fields are None until there is one.

    `delivered_at` is in seconds since the epoch, `duration` in seconds.
    """

    id: int
    guid: str
    event: str
    payload: dict[str, Any]
    repository: Repository | None
    installation: int
    redelivery: bool = False
    delivered_at: float | None = None
    duration: float = 0.0
    status: str = "pending"
    status_code: int | None = None
    url: str = ""
    request_headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""


@dataclass(kw_only=True)
class Mishap(Odds):
    """What befalls deliveries of an `event`, or of any, as often as the Odds say."""

    event: str | None = None


class Webhooks:
    """Sends deliveries one after the other for each repository, while nobody waits for them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)
        # By repository id; 0 has what concerns no single one.
        self._queues: dict[int, deque[Delivery]] = {}
        self._senders: dict[int, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._next_id = 1
        self._lost: list[Mishap] = []
        self._doubled: list[Mishap] = []
        self._shuffled: list[Mishap] = []
        self._dice = dice(0)

    def seed(self, number: int) -> None:
        """Let the dice fall from now on as they always do for this number (0 at first)."""
        self._dice = dice(number)

    def lose(self, times: int | None = None, *, probability: float = 1.0, event: str | None = None) -> None:
        """Lose the next `times` deliveries (None: all from now on) of an event or of any, each with `probability`.

        A lost one does not reach the receiver. It is listed as failed, and can be redelivered.
        """
        self._lost.append(Mishap(times=times, probability=probability, event=event))

    def double(self, times: int | None = None, *, probability: float = 1.0, event: str | None = None) -> None:
        """Send the next `times` deliveries (None: all from now on) twice with the same GUID, chosen as by `lose`."""
        self._doubled.append(Mishap(times=times, probability=probability, event=event))

    def shuffle(self, times: int | None = None, *, probability: float = 1.0, event: str | None = None) -> None:
        """Put the next `times` deliveries (None: all from now on) off, chosen as by `lose`.

        One that is put off is sent after others of its repository that come later, or after LATE_SECONDS without any;
        of several the dice choose the order.
        """
        self._shuffled.append(Mishap(times=times, probability=probability, event=event))

    def heal(self) -> None:
        """Lose, double and put off nothing more."""
        self._lost.clear()
        self._shuffled.clear()
        self._doubled.clear()

    def _strikes(self, mishaps: list[Mishap], event: str) -> bool:
        struck = [mishap.strikes(self._dice) for mishap in mishaps if mishap.event in {None, event}]
        return any(struck)

    def start(self) -> None:
        """Begin to send; what happens before `start` or after `stop` is told to nobody."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS))

    async def stop(self) -> None:
        """Wait for the deliveries under way, then stop."""
        await self.drained()
        if self._session:
            await self._session.close()
            self._session = None

    async def drained(self) -> None:
        """Wait until nothing is left to send."""
        while self._senders:
            await asyncio.gather(*self._senders.values())

    def listens(self, repo: Repository, event: str) -> bool:
        """Say whether an event of a repository would be sent."""
        installation = self.sandbox.installation_of(repo)
        ready = self._session is not None and self.sandbox.webhook_url is not None
        return ready and installation is not None and not installation.suspended and event in self.sandbox.app.events

    def send(self, repo: Repository, event: str, payload: dict[str, Any]) -> str | None:
        """Queue an event of a repository; give its delivery GUID, None where no App or no receiver is there for it."""
        installation = self.sandbox.installation_of(repo)
        if installation is None or not self.listens(repo, event):
            return None
        return self._new(installation, event, payload, repo)

    def tell(self, installation: Installation, event: str, payload: dict[str, Any]) -> str | None:
        """Queue an event of an installation itself, which every App gets; give the GUID, None if nobody receives."""
        if self._session is None or self.sandbox.webhook_url is None:
            return None
        return self._new(installation, event, payload, None)

    def _new(self, installation: Installation, event: str, payload: dict[str, Any], repo: Repository | None) -> str:
        delivery = Delivery(self._take_id(), str(uuid.uuid1()), event, payload, repo, installation.id)
        self._queue(delivery)
        return delivery.guid

    def send_again(self, old: Delivery) -> None:
        """Queue a delivery once more: the same GUID and payload, a new id."""
        again = Delivery(self._take_id(), old.guid, old.event, old.payload, old.repository, old.installation)
        again.redelivery = True
        self._queue(again)

    def find(self, delivery_id: int) -> Delivery | None:
        """Give a finished delivery by its id."""
        return next((found for found in self.deliveries if found.id == delivery_id), None)

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _queue(self, delivery: Delivery) -> None:
        key = delivery.repository.id if delivery.repository else 0
        self._queues.setdefault(key, deque()).append(delivery)
        if key not in self._senders:
            self._senders[key] = asyncio.get_running_loop().create_task(self._send_all(key))

    async def _send_all(self, key: int) -> None:
        try:
            queue, late = self._queues[key], list[Delivery]()
            while queue or late:
                delivery = await self._next(queue, late)
                if delivery is None:
                    continue
                copies = [delivery]
                if self._strikes(self._doubled, delivery.event):
                    copies.append(replace(delivery, id=self._take_id()))
                for copy in copies:
                    await self._send(copy)
                    self.deliveries.append(copy)
        finally:
            del self._senders[key]

    async def _next(self, queue: deque[Delivery], late: list[Delivery]) -> Delivery | None:
        """Take the next delivery of a queue that is not put off, or one that was; None if all are put off now."""
        if not queue:
            await asyncio.sleep(LATE_SECONDS)
        # What was put off comes in between, as the dice say, and last of all where nothing else does.
        if late and (not queue or self._dice.random() < LATE_CHANCE):
            return late.pop(self._dice.randrange(len(late)))
        delivery = queue.popleft()
        if self._strikes(self._shuffled, delivery.event):
            late.append(delivery)
            return None
        return delivery

    async def _send(self, delivery: Delivery) -> None:
        sandbox, loop = self.sandbox, asyncio.get_running_loop()
        body = json.dumps(delivery.payload, separators=(",", ":")).encode()
        delivery.url = sandbox.webhook_url or ""
        delivery.delivered_at = sandbox.clock()
        delivery.request_headers = {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/5a4d0b7",
            "X-GitHub-Delivery": delivery.guid,
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Hook-ID": "1",
            "X-GitHub-Hook-Installation-Target-ID": str(sandbox.app.id),
            "X-GitHub-Hook-Installation-Target-Type": "integration",
            "X-Hub-Signature-256": sign(sandbox.app.webhook_secret, body),
        }
        began = loop.time()
        try:
            if self._session is None or self._strikes(self._lost, delivery.event):
                raise aiohttp.ClientConnectionError("stopped, or lost on the way")
            async with self._session.post(delivery.url, data=body, headers=delivery.request_headers) as response:
                delivery.status_code = response.status
                delivery.response_headers = dict(response.headers)
                delivery.response_body = await response.text(errors="replace")
                fine = response.status < 400
                delivery.status = "OK" if fine else f"Invalid HTTP Response: {response.status}"
        except TimeoutError:
            delivery.status, delivery.status_code = "timed out", 504
        except (aiohttp.ClientError, ValueError):
            delivery.status, delivery.status_code = "failed to connect to host", 502
        delivery.duration = round(loop.time() - began, 2)


def delivery_json(delivery: Delivery, *, full: bool = False) -> dict[str, Any]:
    """Write a delivery as `GET /app/hook/deliveries` lists it; in full with its request and response."""
    body: dict[str, Any] = {
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": timestamp(delivery.delivered_at or 0),
        "redelivery": delivery.redelivery,
        "duration": delivery.duration,
        "status": delivery.status,
        "status_code": delivery.status_code or 0,
        "event": delivery.event,
        "action": delivery.payload.get("action"),
        "installation_id": delivery.installation,
        "repository_id": delivery.repository.id if delivery.repository else None,
        "throttled_at": None,
    }
    if full:
        body["url"] = delivery.url
        body["request"] = {"headers": delivery.request_headers, "payload": delivery.payload}
        body["response"] = {"headers": delivery.response_headers, "payload": delivery.response_body}
    return body
