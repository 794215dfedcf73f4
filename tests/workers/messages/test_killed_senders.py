"""Workers that are killed while messages go out lose none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.messages.killed_senders import prepared, run
from tests.workers.messages.servers import mail_server


@pytest.mark.slow
def test_killed_workers_lose_no_message(tmp_path: Path) -> None:
    with mail_server() as mail, prepared(tmp_path, mail, 12, "", "") as context:
        outcome = run(context, mail, 12, 2, 120)
    assert outcome.kills == 2
