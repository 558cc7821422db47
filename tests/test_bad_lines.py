"""Which line of a text file cannot be read."""

import gzip

import pytest

from dp_spark import bad_lines
from dp_spark.bad_lines import bad_line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,text\n1,a\n2\n", "line 3 has 1 value, the first line 2 names"),
        ('id,text\n1,"two\nlines"\n\n2,b,c\n', "line 5 has 3 values, the first line 2 names"),
        ("\ufeffid,text\n1,a\n", ""),
        ("id,text\n1,a\nx,b\n", ""),
        ("", ""),
        ("id,text\r\n1,a\r\n2,b\n3,c\r\n", "line 3 ends in '\\n', the first line in '\\r\\n'"),
        ('id,text\r\n1,"two\nlines"\r\n2,b', ""),
        ('{"id": 1}\n\n{"id": 2\n', "line 3 holds no whole JSON object"),
        ('[\n{"id": 1}\n]\n', "line 1 holds no whole JSON object"),
        ('{"id": 1}\n7\n', "line 2 holds no whole JSON object"),
    ],
)
def test_the_first_bad_line_is_found(tmp_path, content, said):
    path = tmp_path / "a table.csv"
    path.write_text(content, encoding="utf-8")
    assert bad_line(path.as_uri()) == said


def test_files_that_cannot_be_looked_through_have_none(tmp_path, monkeypatch):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1\n"))
    (tmp_path / "latin.csv").write_bytes("a,b\nü\n".encode("latin-1"))
    (tmp_path / "big.csv").write_text("a,b\n1\n")
    assert bad_line((tmp_path / "t.csv.gz").as_uri()) == ""
    assert bad_line((tmp_path / "latin.csv").as_uri()) == "it is not UTF-8"
    assert bad_line((tmp_path / "gone.csv").as_uri()) == ""
    assert bad_line("hdfs://there/t.csv") == ""
    assert bad_line("a file of the table") == ""
    assert bad_line((tmp_path / "big.csv").as_uri()) != ""
    monkeypatch.setattr(bad_lines, "MAX_BYTES", 3)
    assert bad_line((tmp_path / "big.csv").as_uri()) == ""
