"""Send e-mail to administrators and to people through the bureau's mail server."""

from __future__ import annotations

import datetime as dt
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from configs.notice_settings import MailSettings
from errors import OutputError

TIMEOUT_SECONDS = 20


def send_mail(
    settings: MailSettings,
    subject: str,
    text: str,
    now: dt.datetime,
    *,
    recipients: Sequence[str] = (),
    message_id: str = "",
) -> str:
    """Send a message, by default to all recipients of the settings.

    Args:
        settings: server, sender and recipients.
        subject: one line.
        text: plain text.
        now: current time, aware.
        recipients: addresses; empty: those of the settings.
        message_id: the same for each attempt, so that a repeated message can be recognized; "": a new one.

    Returns:
        The value of its header ``Message-ID``.

    Raises:
        OutputError: the server does not answer or refuses the message.
    """
    message = EmailMessage()
    receivers = ", ".join(recipients or settings.recipients)
    identifier = f"<{message_id}@tuban.invalid>" if message_id else make_msgid(domain="tuban.invalid")
    message["Subject"], message["From"], message["To"] = subject, settings.sender, receivers
    message["Date"], message["Message-ID"] = format_datetime(now), identifier
    message.set_content(text)
    context = ssl.create_default_context()
    try:
        with (
            smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT_SECONDS, context=context)
            if settings.security == "tls"
            else smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_SECONDS)
        ) as server:
            if settings.security == "starttls":
                server.starttls(context=context)
            if settings.user:
                server.login(settings.user, settings.password.get_secret_value())
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise OutputError(
            f"The mail server {settings.host}:{settings.port} did not accept the message: {error}."
        ) from error
    return identifier
