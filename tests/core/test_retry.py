"""The failure policy is a value: no test of it sleeps."""

from __future__ import annotations

import pytest

from bot.core.retry import Retry


@pytest.mark.parametrize(
    ("attempt", "retry_after", "pause"),
    [(1, None, 2.0), (2, None, 4.0), (3, None, 8.0), (4, None, 10.0), (5, None, None), (6, 1.0, None)],
)
def test_pauses_double_up_to_the_longest_until_the_attempts_are_used(
    attempt: int, retry_after: float | None, pause: float | None
) -> None:
    """Exponential backoff is bounded in both directions."""
    assert Retry(attempts=5, first=2.0, longest=10.0).pause(attempt, retry_after) == pause


@pytest.mark.parametrize(("retry_after", "pause"), [(0.5, 2.0), (3.0, 3.0), (3600.0, 3600.0)])
def test_what_the_server_asks_for_is_never_undercut(retry_after: float, pause: float) -> None:
    """`retry-after` wins over our own pause, also over the longest."""
    assert Retry(attempts=5, first=2.0, longest=10.0).pause(1, retry_after) == pause


def test_the_defaults_outlive_a_rate_limit() -> None:
    """GitHub's limits renew within the hour; the default retries take longer than that before they give up."""
    retry = Retry()
    pauses = [retry.pause(attempt) or 0.0 for attempt in range(1, retry.attempts)]
    assert sum(pauses) > 3600
    assert retry.pause(retry.attempts) is None
