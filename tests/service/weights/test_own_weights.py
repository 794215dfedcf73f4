"""Own weights are kept with the service, used after a comparison, and survive restarts, upgrades and backups."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cli.main import main
from configs.service import ServiceSettings
from errors import SettingsError, WeightsError
from model.network import ChangeNetwork
from model.weights import FOLDER, find_weights, save_weights
from service.context import Context
from service.installed_weights import InstalledWeights, check_detector, used_weights
from service.weights import comparison
from service.weights.administration import WorseWeights, add_file, use_previous, use_version
from store.backup.backup import backup, restore
from store.schema.tables import Scan
from store.weights.own_weights import record_use, uses, weights_in_use
from tests.databases import embedded_database
from tests.workers.embedded import Clock, context_in
from tests.workers.scan_service import AUTUMN, SPRING, ScanService, after_image, before_image
from training.synthetic import SceneSpec, render_scene
from workers.runtime import startup_checks
from workers.runtime.worker import main as worker

SCENES = (SceneSpec(seed=104, width=256, height=256, gsd_m=0.5),)


def _weights(folder: Path, name: str, noise: float) -> Path:
    """Write the shipped weights ``fast`` with noise on all tensors, and a card."""
    shipped = find_weights("fast")
    generator = torch.Generator().manual_seed(5)
    network = ChangeNetwork(shipped.layout)
    network.load_state_dict(
        {
            key: value + noise * value.std() * torch.randn(value.shape, generator=generator)
            if value.ndim > 1  # no variances, which must stay positive
            else value
            for key, value in load_file(shipped.path).items()
        }
    )
    save_weights(network, name, shipped.threshold, folder)
    (folder / f"{name}.md").write_text(f"# {name}\n\nTrained on own reviews.\n", encoding="utf-8")
    return folder / f"{name}.safetensors"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as good as the shipped ones (``good``), and useless ones (``bad``)."""
    folder = tmp_path_factory.mktemp("trained")
    _weights(folder, "good", 1e-6)
    _weights(folder, "bad", 0.3)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _rendered_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.synthetic.render_scene", cache(render_scene))
        yield


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """A service whose profiles name the weights ``fast``."""
    monkeypatch.setattr("service.installed_weights.shipped_weights", _shipped_fast)
    monkeypatch.setattr("service.weights.administration.shipped_weights", _shipped_fast)
    monkeypatch.setenv("TUBAN_RUNTIME", "torch-cpu")  # nothing to convert
    context = context_in(tmp_path)
    context.threads = 1
    yield context
    context.database.close()


def _use(context: Context, version: int) -> None:
    """Take a version into use without a comparison."""
    with context.database.write() as session:
        record_use(session, version, who="wang", now=context.clock())


def _shipped_fast() -> object:
    return InstalledWeights("fast", FOLDER)


@pytest.mark.slow
def test_worse_weights_are_refused_without_force_and_better_ones_used(context: Context, trained: Path) -> None:
    bad, good = (add_file(context, trained / f"{name}.safetensors", "wang") for name in ("bad", "good"))
    with pytest.raises(WorseWeights, match=r"bad are worse than those in use, fast: .*F1.*--force") as refused:
        use_version(context, bad, "wang", scenes=SCENES)
    assert any(new < old - comparison.TOLERANCE for old, new in refused.value.comparison.rendered.values())
    assert context.current_detector().weights.name == "fast"
    forced = use_version(context, bad, "wang", force=True, scenes=SCENES)
    assert forced.worse
    assert context.current_detector().weights.name == "bad", "a running process loads them"
    assert use_version(context, good, "wang", scenes=SCENES).worse == []
    assert context.current_detector().weights.name == "good"
    with context.database.read() as session:
        log = [(use.weights_id, use.forced, use.who) for use in uses(session)]
    assert log == [(good, False, "wang"), (bad, True, "wang")]
    assert use_previous(context, "wang") == bad
    assert use_previous(context, "wang") is None, "twice back is before both"
    assert context.current_detector().weights.name == "fast"
    with pytest.raises(SettingsError, match="no others were before"):
        use_previous(context, "wang")


def test_a_scan_that_began_with_former_weights_ends_with_them(context: Context, trained: Path) -> None:
    began = context.current_detector().weights.sha256
    good = add_file(context, trained / "good.safetensors", "wang")
    _use(context, good)
    assert context.current_detector().weights.sha256 != began
    former = context.detector_with(began)
    assert former is not None
    assert former.weights.sha256 == began
    assert context.detector_with("0" * 64) is None


def test_weights_in_use_survive_a_restart_an_upgrade_and_a_restore(
    context: Context, trained: Path, tmp_path: Path
) -> None:
    good = add_file(context, trained / "good.safetensors", "wang")
    _use(context, good)
    assert context.current_detector().weights.name == "good"
    shutil.rmtree(context.settings.home / "weights")  # only a copy of the object
    restarted = Context.from_settings(context.settings)
    assert restarted.current_detector().weights.name == "good"
    restarted.database.close()
    backup(context.settings, tmp_path / "backup.tar", now=context.clock())
    other = ServiceSettings(home=tmp_path / "other")
    restore(other, tmp_path / "backup.tar", now=context.clock())
    restored = Context.from_settings(other)
    assert used_weights(other, restored.database, restored.objects).name == "good"
    with restored.database.read() as session:
        row = weights_in_use(session)
        assert row is not None
        assert (row.id, row.card) == (good, "# good\n\nTrained on own reviews.\n")
    restored.database.close()


def test_a_night_after_a_restart_and_an_upgrade_scans_with_the_weights_in_use(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUBAN_RUNTIME", "torch-cpu")
    service = ScanService(tmp_path)
    service.add_image(before_image(), SPRING)
    service.add_image(after_image(), AUTUMN)
    _use(service.context, add_file(service.context, trained / "good.safetensors", "wang"))
    service.context.database.close()
    other = InstalledWeights("accurate", FOLDER)  # the new release ships other weights
    monkeypatch.setattr("service.installed_weights.shipped_weights", lambda: other)
    service.context = Context.from_settings(service.context.settings)
    service.context.threads, service.context.clock = 1, Clock()
    service.run_night()
    [scan] = service.rows(Scan)
    assert scan.state == "done"
    assert scan.weights_sha256 == find_weights("good", trained).sha256
    service.context.database.close()


def test_the_same_weights_are_one_version_and_other_files_are_rejected(context: Context, trained: Path) -> None:
    good = add_file(context, trained / "good.safetensors", "wang")
    with pytest.raises(SettingsError, match=f"are version {good} already; `tuban weights use {good}`"):
        add_file(context, trained / "good.safetensors", "wang")
    with pytest.raises(SettingsError, match="is not a weights file"):
        add_file(context, trained / "good.md", "wang")
    with pytest.raises(SettingsError, match="There is no version 9 of own weights; there are: 1"):
        use_version(context, 9, "wang", scenes=SCENES)
    with pytest.raises(SettingsError, match="shipped weights are in use already"):
        use_version(context, None, "wang", scenes=SCENES)


def test_weights_of_another_network_are_rejected(context: Context, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "wrong")
    tensors = load_file(trained / "good.safetensors")
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, tmp_path / "wrong" / "good.safetensors")
    with pytest.raises(WeightsError, match="was changed or damaged"):
        add_file(context, tmp_path / "wrong" / "good.safetensors", "wang")


def test_missing_or_damaged_weights_in_use_are_reported_at_start(context: Context, trained: Path) -> None:
    good = add_file(context, trained / "good.safetensors", "wang")
    _use(context, good)
    check_detector(context.settings, context.database, context.objects)
    shutil.rmtree(context.settings.home / "weights")
    [key] = context.objects.keys("weights/")
    content = bytearray(context.objects.read(key))
    content[-9] ^= 0xFF
    (Path(context.settings.objects_url) / key).write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        check_detector(context.settings, context.database, context.objects)
    context.objects.delete(key)
    shutil.rmtree(context.settings.home / "weights")
    with pytest.raises(WeightsError, match=r"is missing in the object store .*tuban weights back"):
        check_detector(context.settings, context.database, context.objects)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"TUBAN_RUNTIME": "torch-cuda"}, "no CUDA device was found"),
        ({"TUBAN_RUNTIME": "tensorrt"}, "expected one of openvino, torch-cpu, torch-cuda"),
    ],
)
def test_service_and_workers_refuse_to_start_without_a_working_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    variables: dict[str, str], words: str,
) -> None:  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("service.installed_weights._has_cuda", lambda: False)
    monkeypatch.setenv("TUBAN_HOME", str(tmp_path / "home"))
    settings = context_in(tmp_path).settings
    with pytest.raises(SettingsError, match=words), startup_checks.prepare_service(settings, ("worker",)):
        pass
    assert worker(["--queues", "scan"]) == SettingsError.exit_code
    assert words in capsys.readouterr().err


def test_service_refuses_to_start_with_missing_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = (Path(comparison.__file__).parents[2] / "configs" / "profiles.yaml").read_text(encoding="utf-8")
    assert "\nweights: accurate" in shipped
    (tmp_path / "profiles.yaml").write_text(shipped.replace("\nweights: accurate", "\nweights: acurate"), "utf-8")
    settings = context_in(tmp_path).settings
    with (
        pytest.raises(WeightsError, match="Unknown weights 'acurate'"),
        startup_checks.prepare_service(settings, ("worker",)),
    ):
        pass


def test_the_commands_add_use_list_and_go_back(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUBAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TUBAN_RUNTIME", "torch-cpu")  # nothing to convert
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("service.weights.administration.shipped_weights", _shipped_fast)
    worse = comparison.Comparison("fast", "bad", {"building": (0.9, 0.5), "ground": (0.9, 0.91)})
    monkeypatch.setattr("service.weights.administration.compare_weights", lambda *_, **__: worse)
    embedded_database(tmp_path / "home" / "tuban.db").close()

    def tuban(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tuban", "weights", *arguments])
        with pytest.raises(SystemExit) as exit_info:
            main()
        captured = capsys.readouterr()
        return int(exit_info.value.code or 0), captured.out + captured.err

    assert tuban("add", str(trained / "bad.safetensors"))[0] == 0
    code, text = tuban("use", "1")
    assert (code, "rendered pairs, building, pixel F1" in text, "--force" in text) == (2, True, True)
    assert tuban("use", "1", "--force")[0] == 0
    code, text = tuban("list")
    assert (code, "building F1" in text) == (0, True)
    assert "building F1 0.900 → 0.500, ground F1 0.900 → 0.910" in text
    assert "Trained on own reviews." in tuban("list", "--card", "1")[1]
    assert tuban("back") == (0, "In use now: the shipped weights.\n")
    assert tuban("use", "first")[0] == 2
