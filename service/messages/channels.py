"""Channels of messages to people: what the settings provide, and the texts for one person."""

from __future__ import annotations

from collections.abc import Sequence

from configs.notice_settings import PeopleHookSettings, RobotSettings
from configs.service import ServiceSettings
from enforcement.messages.message_kinds import read_message_kinds, split_by_bytes
from service.messages.texts import compose
from store.messages.preferences import Preferences
from store.messages.sendings import Text
from store.schema.chain.message_tables import MessageRow
from store.schema.user_tables import User

HOOK_BYTES = 64_000


def robot_for(settings: ServiceSettings, kind: str, code: str) -> RobotSettings | None:
    """Return the robot of a kind whose area contains ``code`` most closely; None: there is none."""
    fitting = [robot for robot in settings.notices.robots if robot.kind == kind and code.startswith(robot.code)]
    return max(fitting, key=lambda robot: len(robot.code), default=None)


def hook_for(settings: ServiceSettings, code: str) -> PeopleHookSettings | None:
    """Return the web hook for messages to people whose area contains ``code`` most closely."""
    fitting = [hook for hook in settings.notices.people_hooks if code.startswith(hook.code)]
    return max(fitting, key=lambda hook: len(hook.code), default=None)


def available_channels(settings: ServiceSettings, code: str) -> list[str]:
    """List the channels that the settings provide for people of an area."""
    found = ["mail"] if settings.notices.mail.host else []
    found += [kind for kind in ("dingtalk", "wecom") if robot_for(settings, kind, code) is not None]
    return found + (["hook"] if hook_for(settings, code) is not None else [])


def texts_for(
    settings: ServiceSettings, person: User, preferences: Preferences, messages: Sequence[MessageRow]
) -> list[tuple[Text, list[MessageRow]]]:
    """Return the texts of a person's messages, each with the messages that it contains.

    Urgent messages go through every channel that reaches the person; others through the chosen ones, unless muted.

    Args:
        settings: of the channels.
        person: the recipient.
        preferences: of the recipient.
        messages: to be sent.
    """
    kinds = read_message_kinds().kinds
    urgent = [message for message in messages if message.kind in kinds and kinds[message.kind].urgent]
    ordinary = [message for message in messages if message not in urgent and message.kind not in preferences.muted]
    texts = []
    for channel in available_channels(settings, person.code):
        included = [*urgent, *ordinary] if channel in preferences.channels else urgent
        if not included or (channel == "mail" and not preferences.email):
            continue
        included.sort(key=lambda message: message.id)
        subject, words = compose(
            person.name or person.login,
            [(message.kind, message.content) for message in included],
            person.language,
            settings.pages_url,
        )
        texts.append((_text(settings, channel, person, preferences, subject, words), included))
    return texts


def _text(
    settings: ServiceSettings, channel: str, person: User, preferences: Preferences, subject: str, words: str
) -> Text:
    servers = settings.notices.robot_servers
    if channel == "mail":
        return Text(channel, preferences.email, subject, (words,))
    if channel == "hook":
        hook = hook_for(settings, person.code)
        return Text(channel, hook.url if hook else "", subject, tuple(split_by_bytes(words, HOOK_BYTES)))
    robot = robot_for(settings, channel, person.code)
    limit = servers.dingtalk_bytes if channel == "dingtalk" else servers.wecom_bytes
    mention = len(f"@{preferences.mobile} ".encode())  # DingTalk shows a mention only if the text names the number
    return Text(channel, robot.name if robot else "", subject, tuple(split_by_bytes(words, limit - mention)))
