"""GitHub as a Forge: over gidgethub and aiohttp's client, as an installation of the App."""

from bot.github.forge import GitHub, connect

__all__ = ["GitHub", "connect"]
