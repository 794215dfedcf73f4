"""Settings of the service: defaults, overrides by environment variables, and errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from configs import FOLDER, service
from configs.service import ServiceSettings, read_service
from errors import SettingsError


def test_shipped_file_contains_every_setting_with_its_default() -> None:
    written = yaml.safe_load((FOLDER / "service.yaml").read_text(encoding="utf-8"))
    assert written.keys() == ServiceSettings.model_fields.keys()
    assert read_service() == ServiceSettings()


def test_environment_variables_override_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("night: {at: '02:15', oldest_days: 400}\ntime_zone: Europe/Berlin\n", encoding="utf-8")
    monkeypatch.setenv("TUBAN_SERVICE", str(file))
    monkeypatch.setenv("TUBAN_NIGHT__AT", "03:45")
    settings = read_service()
    assert (settings.night.at, settings.night.oldest_days, settings.zone.key) == ("03:45", 400, "Europe/Berlin")


@pytest.mark.parametrize(
    ("content", "message"),
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
def test_invalid_setting_is_named(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        read_service(file)


def test_misspelled_variable_raises_and_unrelated_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUBAN_SOMETHING_OF_ANOTHER_PROGRAM", "1")
    read_service()
    monkeypatch.setenv("TUBAN_NIHGT__AT", "03:00")
    with pytest.raises(SettingsError, match="did you mean TUBAN_NIGHT__AT"):
        read_service()


def test_web_processes_depend_on_database_and_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    database = "postgresql+psycopg://tuban@db/tuban"
    for cores, expected in ((1, 1), (2, 2), (16, 2)):
        monkeypatch.setattr(service, "usable_cores", lambda cores=cores: cores)
        assert read_service(database=database).web_processes == expected
        assert read_service().web_processes == 1
    assert read_service(web={"processes": 4}).web_processes == 4


@pytest.mark.parametrize(
    "url",
    [
        "bureau.example",
        "ftp://x",
        "https://",
        "https://x/a?b",
        "https://x/#a",
        "https://x//a",
        "https://x/a b",
        "https://x/..",
    ],
)
def test_a_public_url_that_no_browser_could_use_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(SettingsError, match=r"like https://tuban\.bureau\.example or https://bureau\.example/tuban"):
        read_service(public_url=url)


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        ("", ""),
        ("https://tuban.bureau.example", ""),
        ("https://tuban.bureau.example/", ""),
        ("https://bureau.example/tuban", "/tuban"),
        ("https://bureau.example:8443/gis/tu-ban.2/", "/gis/tu-ban.2"),
    ],
)
def test_the_path_of_the_public_url_is_the_prefix_of_all_paths(url: str, prefix: str) -> None:
    assert read_service(public_url=url).path_prefix == prefix


@pytest.mark.parametrize("url", ["", "https://tuban.bureau.example", "http://10.1.2.3:8000/"])
def test_a_public_url_of_a_host_is_accepted(url: str) -> None:
    assert read_service(public_url=url).public_url == url
