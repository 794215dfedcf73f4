"""Ten thousand files at once: pages and decisions stay quick, because their work does not grow with the batch."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import event, insert

from service.batch_intake import receive_files
from service.context import Context
from store.schema.tables import Batch, BatchFile
from tests.web.conftest import NOW, SignIn
from tests.workers.embedded import context_in
from tests.workers.ingest.images import CODE, add_areas


def _batch(context: Context, files: int) -> int:
    with context.database.write() as session:
        batch = Batch(area_code="330199", name="tiles", origin="upload", state="receiving", created_at=NOW)
        session.add(batch)
        session.flush()
        rows = [
            {"batch_id": batch.id, "name": f"{number}.tif", "size": 5, "state": "waiting"} for number in range(files)
        ]
        session.execute(insert(BatchFile), rows)
        return batch.id


def test_a_page_makes_as_many_queries_for_thousands_of_files_as_for_a_hundred(
    service: Context, sign_in: SignIn
) -> None:
    statements: list[str] = []
    event.listen(service.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    browser = sign_in("county")
    measured: dict[str, list[tuple[int, int]]] = {}
    for files in (100, 2_000):
        batch = _batch(service, files)
        for path in ("/batches", "/batches/{batch}", "/batches/{batch}/files", "/alerts?sort=gravest"):
            found = []
            for _ in range(4):  # the first fills caches, which may expire before one of the others
                statements.clear()
                response = browser.get(path.format(batch=batch))
                assert response.status_code == 200, path
                found.append((len(statements), len(response.content)))
            measured.setdefault(path, []).append(min(found))
    for path, ((few, small), (many, large)) in measured.items():
        assert many == few, path
        assert large < small + 5_000, path


def test_each_received_file_is_a_transaction_of_its_own(tmp_path: Path) -> None:
    """Between two of them a decision of an inspector is written."""
    context = context_in(tmp_path)
    add_areas(context.database)
    (tmp_path / "in").mkdir()
    for number in range(8):
        (tmp_path / "in" / f"{number}.tif").write_bytes(b"II*\0" + bytes([number]))
    added: list[int] = [0]
    event.listen(context.database.engine, "commit", lambda *_: added.append(0))

    def count(*given: object) -> None:
        if "INSERT INTO batch_files" in str(given[2]):
            added[-1] += 1

    event.listen(context.database.engine, "before_cursor_execute", count)
    receive_files(context, [tmp_path / "in"], CODE, "drone", "folder", "test", "tiles")
    assert (sum(added), max(added)) == (8, 1)
    context.database.close()
