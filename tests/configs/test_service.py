"""Settings of the service: the environment stands above the file, and what cannot be used is told in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from configs import FOLDER
from configs.service import ServiceSettings, read_service
from errors import SettingsError


def test_the_file_that_ships_holds_every_setting_with_its_default() -> None:
    """What is told in the file is what holds without it."""
    written = yaml.safe_load((FOLDER / "service.yaml").read_text(encoding="utf-8"))
    assert written.keys() == ServiceSettings.model_fields.keys()
    assert read_service() == ServiceSettings()


def test_the_environment_stands_above_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("night: {at: '02:15', oldest_days: 400}\ntime_zone: Europe/Berlin\n", encoding="utf-8")
    monkeypatch.setenv("TUBAN_SERVICE", str(file))
    monkeypatch.setenv("TUBAN_NIGHT__AT", "03:45")
    settings = read_service()
    assert (settings.night.at, settings.night.oldest_days, settings.zone.key) == ("03:45", 400, "Europe/Berlin")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("nihgt: {at: '01:00'}", "nihgt"),
        ("night: {at: '25:00'}", "night.at"),
        ("jobs: {attempts: many}", "jobs.attempts"),
        ("time_zone: Asia/Peking", "Asia/Peking"),
        ("database: mysql://host/name", "postgresql"),
        ("broker: kafka://host", "redis://"),
        ("- a\n- list", "mapping of names to values"),
        ("night: [", "not valid YAML"),
    ],
)
def test_what_cannot_be_used_is_named(content: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=told):
        read_service(file)


def test_a_misspelt_variable_is_told_and_a_foreign_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUBAN_SOMETHING_OF_ANOTHER_PROGRAM", "1")
    read_service()
    monkeypatch.setenv("TUBAN_NIHGT__AT", "03:00")
    with pytest.raises(SettingsError, match="did you mean TUBAN_NIGHT__AT"):
        read_service()


def test_pages_are_served_by_several_processes_where_several_can_write(monkeypatch: pytest.MonkeyPatch) -> None:
    database = "postgresql+psycopg://tuban@db/tuban"
    for cores, expected in ((1, 1), (2, 2), (16, 2)):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert read_service(database=database).web_processes == expected
        assert read_service().web_processes == 1
    assert read_service(web={"processes": 4}).web_processes == 4
