"""``tuban areas``, ``tuban layers``, ``tuban backup`` and ``tuban restore`` on an embedded service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from shapely import box
from shapely.geometry import mapping
from typer.testing import CliRunner

from cli.administration.areas import MAX_LISTED, areas_app
from cli.administration.layers import layers_app
from cli.maintenance.backup import backup, restore
from errors import SettingsError
from tests.databases import embedded_database


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Home folder of an embedded service with empty tables."""
    monkeypatch.setenv("TUBAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    embedded_database(tmp_path / "home" / "tuban.db")
    return tmp_path / "home"


def tuban(*arguments: str | Path) -> str:
    """Run a command and return its output."""
    app = typer.Typer()
    app.add_typer(areas_app, name="areas")
    app.add_typer(layers_app, name="layers")
    app.command()(backup)
    app.command()(restore)
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def polygons(path: Path, *codes: str) -> Path:
    features = [
        {"type": "Feature", "geometry": mapping(box(113, 34, 114, 35)), "properties": {"XZQDM": c, "XZQMC": "中牟县"}}
        for c in codes
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_areas_are_loaded_and_listed(home: Path, tmp_path: Path) -> None:
    assert tuban("areas", "list") == "No areas are loaded. Load them with `tuban areas load FILE`.\n"
    output = tuban("areas", "load", polygons(tmp_path / "a.geojson", "410122", "41[bold]", "410122101"))
    assert output.splitlines() == [
        "2 areas added, 0 changed.",
        "Not loaded (1):",
        "  feature 2: its code is '41[bold]'; expected 6 digits (county), 9 (township) or 12 (village)",
    ]
    listed = tuban("areas", "list", "--level", "township")
    assert "410122101" in listed
    assert "中牟县" in listed
    assert "county" not in listed


def test_many_invalid_features_are_counted_and_some_are_listed(home: Path, tmp_path: Path) -> None:
    output = tuban("areas", "load", polygons(tmp_path / "a.geojson", "410122", *["x"] * (MAX_LISTED + 5)))
    assert len(output.splitlines()) == 1 + 1 + MAX_LISTED + 1
    assert output.endswith("… and 5 more\n")


def test_layers_are_loaded_as_versions_and_listed(home: Path, tmp_path: Path) -> None:
    path = polygons(tmp_path / "a.geojson", "1", "2")
    load = ("layers", "load", path, "--name", "批文", "--kind", "approval", "--dated", "2026-11-01")
    assert tuban(*load).splitlines()[0] == "批文: 2 polygons of version 1, approval."
    assert tuban(*load, "--preview").splitlines()[0] == "批文: 2 polygons of version 2, approval."
    assert "2026-11-01" in tuban("layers", "list")
    assert tuban("layers", "use", "批文").endswith("Version 2 of 批文 is in use.\n")
    rows = [line for line in tuban("layers", "versions", "批文").splitlines() if "a.geojson" in line]
    assert ["used" in row for row in rows] == [True, False]
    assert "former" in rows[1]
    with pytest.raises(SettingsError, match="is used; only a version that was never used"):
        tuban("layers", "discard", "批文")
    with pytest.raises(SettingsError, match="no version 7"):
        tuban("layers", "show", "批文", "7")


def test_a_backup_replaces_existing_data_only_with_overwrite(home: Path, tmp_path: Path) -> None:
    tuban("areas", "load", polygons(tmp_path / "a.geojson", "410122"))
    archive = tmp_path / "kept.tar"
    assert "and 0 objects" in tuban("backup", archive)
    tuban("areas", "load", polygons(tmp_path / "b.geojson", "410123"))
    with pytest.raises(SettingsError, match="--overwrite"):
        tuban("restore", archive)
    assert tuban("restore", archive, "--overwrite").startswith("Restored: the database (revision ")
    listed = tuban("areas", "list")
    assert "410122" in listed
    assert "410123" not in listed
