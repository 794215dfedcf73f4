"""Verdicts are read as spreadsheets write them; invalid files are rejected with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from errors import SettingsError
from training.reviews.verdicts import read_verdicts


def _file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "verdicts.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "number,verdict\n1,true\n2,false\n",
        "number,verdict\r\n1,TRUE\r\n2,FALSE\r\n",
        "\ufeffnumber;verdict\n1;confirmed\n2;rejected\n",
        "number\tverdict\n1\tyes\n2\tno\n",
        "number,verdict\n1,1\n2,0",
        "Number , Verdict\n 1 , Yes \n 2 , No \n",
        '\n\nverdict,remark,number\n\ntrue,"a shed, new\nand a wall",1\nfalse,,2\n,,\n',
        "number,verdict\n1,是\n2,否\n",
        "\ufeffnumber,verdict\n1,是\n2,否\n",
        "number,verdict\n1,是\n2,否\n".encode("gb18030"),
        "number\tverdict\n1\t是\n2\t否\n".encode("utf-16"),
        "number,verdict\n1,true\n1,yes\n2,false\n3,\n4\n",
    ],
)
def test_files_saved_by_spreadsheets_are_read(content: str | bytes, tmp_path: Path) -> None:
    assert read_verdicts(_file(tmp_path, content)) == {1: True, 2: False}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("number,verdict\n1,true\n2,perhaps\n", r"Line 3 .*'perhaps'.*expected one of true, confirmed"),
        ("number,verdict\nfirst,true\n", r"Line 2 .*number 'first'"),
        ("number,verdict\n,true\n", r"Line 2 .*number ''"),
        ("number,verdict\n1.5,true\n", r"number '1\.5'"),
        ("number,verdict\n1,true\n1,false\n", "contradicts an earlier line"),
        ("number,judgement\n1,true\n", "no column 'verdict'.*first line is .*'judgement'"),
        ("1,true\n2,false\n", "no column 'number' and no column 'verdict'"),
        ("number,verdict\n", "holds no verdict"),
        ("number,verdict\n1,\n", "holds no verdict"),
        ("", "holds no verdict"),
        (b"PK\x03\x04\xff\xff\xff\xff", "not text|no column"),
    ],
)
def test_invalid_verdicts_are_rejected_with_their_line(content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message):
        read_verdicts(_file(tmp_path, content))


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_verdicts(tmp_path / "nowhere.csv")
