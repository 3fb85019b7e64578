"""Builds what words gists, as the settings name it. The only place where it is chosen; no request can."""

from __future__ import annotations

from lifecycle.chat_summariser import ChatSummariser
from lifecycle.summariser import Extractive, Summariser
from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings


def build_summariser(settings: Settings) -> Summariser:
    """The summariser in force.

    Raises:
        StartupRefused: the setting names nothing known, or lacks its URL.
    """
    source, _, model = settings.summariser.partition(":")
    if settings.summariser == "extractive":
        return Extractive()
    if source != "openai" or not model:
        raise StartupRefused("MEMSVC_SUMMARISER must be extractive or openai:<model>")
    if settings.summariser_url is None:
        raise StartupRefused("MEMSVC_SUMMARISER=openai:... needs MEMSVC_SUMMARISER_URL")
    return ChatSummariser(base_url=settings.summariser_url, model=model, api_key=settings.summariser_api_key)
