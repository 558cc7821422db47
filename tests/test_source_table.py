"""Tables as users have them: CSV as spreadsheets write it, JSON lines, and what is wrong with some."""

import json
import re

import pandas as pd
import pytest

from dp_spark.checks.before_work import BEFORE_WORK
from dp_spark.checks.checklist import Subject, run_checks
from dp_spark.config import parse_config
from dp_spark.errors import ConfigError, SchemaError
from dp_spark.run import Run, read_part, read_points
from dp_spark.table_config import format_of
from dp_spark.worker_errors import translated_errors

CONFIG = """
output = "out"
[table]
{table}
[labeling]
module = "dp_spark.examples.spam"
[training_set]
text = "text"
"""
TEXTS = ["plain", 'she said "hi", twice', "two\nlines", "back\\slash", "ümläut"]


def run_of(storage, path, more="", key='key = ["id"]'):
    table = "\n".join([f"path = {json.dumps(str(path))}", key, more])
    return Run(storage, parse_config(CONFIG.format(table=table), "my.toml"), "out")


def rows_of(run):
    with translated_errors():
        return sorted(tuple(row) for row in read_points(run).collect())


def written(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_csv_of_pandas_comes_back_as_it_was_written(storage, tmp_path, name):
    gold = [1, -1, None, 1, None]
    table = pd.DataFrame({"id": range(5), "text": TEXTS, "gold": pd.array(gold, dtype="Int64")})
    table.to_csv(tmp_path / name, index=False)
    run = run_of(storage, tmp_path / name, 'gold = "gold"')
    assert rows_of(run) == list(zip(range(5), TEXTS, gold, strict=True))
    parts = [{row["id"] for row in read_part(run, part).collect()} for part in ("train", "test")]
    assert parts[0] | parts[1] == set(range(5))


def test_json_lines_are_read_and_a_missing_value_is_null(storage, tmp_path):
    lines = [{"id": 1, "text": TEXTS[1]}, {"id": 2, "text": TEXTS[2], "gold": 1}]
    path = written(tmp_path / "table.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    run = run_of(storage, path, 'gold = "gold"')
    assert read_points(run).columns == ["gold", "id", "text"]
    assert {tuple(row) for row in read_points(run).collect()} == {(None, 1, TEXTS[1]), (1, 2, TEXTS[2])}


def test_a_folder_of_csv_says_its_format_and_its_types(storage, tmp_path):
    (tmp_path / "days").mkdir()
    written(tmp_path / "days" / "monday", "id,text\n007,a\n")
    written(tmp_path / "days" / "tuesday", "id,text\n7,b\n")
    more = 'format = "csv"\nschema = "id STRING, text STRING"'
    assert rows_of(run_of(storage, tmp_path / "days", more)) == [("007", "a"), ("7", "b")]


def test_types_are_found_once_per_run(storage, tmp_path, caplog):
    path = written(tmp_path / "table.csv", "id,text\n1,a\n")
    run = run_of(storage, path)
    with caplog.at_level("INFO", logger="dp_spark.source_table"):
        assert [read_points(run).schema["id"].dataType.simpleString() for _ in range(2)] == ["int", "int"]
    assert [message.partition(":")[0] for message in caplog.messages] == [
        f"finding the types of {path}",
        f"to save the pass over {path}, add to [table]",
    ]


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        (
            "id,text\n1,a\n2\n",
            "",
            r"table.csv holds a row that cannot be read \(line 3 has 1 value, the first line 2 names\): in CSV",
        ),
        (
            'id,text\n1,"a\nb"\n2,b,c\n',
            "",
            r"table.csv holds a row that cannot be read \(line 4 has 3 values, the first line 2 names\)",
        ),
        ("id,text\n1,a\nx,b\n", 'schema = "id INT, text STRING"', "values of the column's type"),
        (
            "id,text\n1,a\n",
            'schema = "id INT, txt STRING"',
            "first line of .*table.csv does not name the col",
        ),
        ("id,text,text\n1,a,b\n", "", "expected the same names in the same order, each once"),
        (
            ",text\n0,a\n",
            "",
            "first column of .* has no name .* pandas writes its index so: pass index=False",
        ),
        ("", "", "holds no columns: expected a table as csv"),
        ("text,length\na,1\n", "", "table.key reads 'id'.*add a column once, for instance with pandas"),
    ],
)
def test_a_csv_that_cannot_be_used_says_what_to_do(storage, tmp_path, content, more, message):
    with pytest.raises(SchemaError, match=f"(?s){message}"):
        rows_of(run_of(storage, written(tmp_path / "table.csv", content), more))


def test_a_row_of_another_width_is_found_whichever_columns_are_read(storage, tmp_path):
    path = written(tmp_path / "table.csv", "id,text\n1,a\n2\n")
    with pytest.raises(SchemaError, match="holds a row that cannot be read"), translated_errors():
        read_points(run_of(storage, path)).select("id").collect()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("table.json", '[\n{"id": 1},\n{"id": 2}\n]\n', "in JSON lines, one object on every line"),
        ("table", "id,text\n1,a\n", "cannot be read as parquet: .*say so with table.format"),
    ],
)
def test_a_file_of_another_format_is_named(storage, tmp_path, name, content, expected):
    with pytest.raises(SchemaError, match=f"(?s){expected}"):
        read_points(run_of(storage, written(tmp_path / name, content)))


def test_types_that_are_no_sql_are_refused(storage, tmp_path):
    path = written(tmp_path / "table.csv", "id,text\n1,a\n")
    with pytest.raises(ConfigError, match="table.schema is 'id BIGIN': .*Expected columns and types as SQL"):
        read_points(run_of(storage, path, 'schema = "id BIGIN"'))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('path = "a"\nschema = "id INT"', "schema is given and the table is Parquet"),
        ('path = "a.csv"\ngenerator = "m:f"', "generator writes Parquet and path is 'a.csv'"),
        ('path = "a"\nformat = "xml"', "table.format: Input should be 'parquet', 'csv' or 'json'"),
        ('path = "a"\nshema = "id INT"', "table.shema: unknown key; known here: .*schema"),
    ],
)
def test_settings_of_a_table_that_do_not_fit_are_refused(more, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(CONFIG.format(table=f'key = ["id"]\n{more}'), "my.toml")


def test_the_ending_of_a_path_tells_the_format():
    names = ["t.csv", "T.CSV", "t.csv.gz", "s3a://b/t.jsonl/", "t.ndjson.zst", "t.parquet", "t", "csv"]
    assert [format_of(n) for n in names] == ["csv"] * 3 + ["json"] * 2 + ["parquet"] * 3


def test_the_schema_that_is_found_can_be_given_next_time(storage, tmp_path, caplog):
    (tmp_path / "table.csv").write_text('id,a.b,"c`d"\n1,x,2.5\n')
    config = parse_config(
        CONFIG.format(table=f'path = "{tmp_path}/table.csv"\nkey = ["id"]').replace('"text"', '"a.b"'),
        "my.toml",
    )
    with caplog.at_level("INFO"):
        found = read_points(Run(storage, config, f"{tmp_path}/out"))
    ddl = re.search(r"schema = '(.*)'", caplog.text)[1]
    assert ddl == "`id` int, `a.b` string, `c``d` double"
    table = config.table.model_copy(update={"ddl": ddl})
    again = read_points(Run(storage, config.model_copy(update={"table": table}), f"{tmp_path}/out"))
    assert again.collect() == found.collect()


NAMED = 'class_names = ["ham", "spam"]\n'
GOLD_NAMES = [("a", "spam", "free"), ("b", "ham", "nice"), ("c", None, "x"), ("d", "", "y")]


def run_with_names(storage, place, rows=GOLD_NAMES, names=NAMED):
    path = f"{place}/table"
    storage.spark.createDataFrame(rows, "id string, gold string, text string").write.parquet(path)
    config = CONFIG.format(table=f'path = "{path}"\nkey = ["id"]\ngold = "gold"')
    return Run(
        storage,
        parse_config(config.replace("[labeling]\n", f"[labeling]\n{names}"), "my.toml"),
        f"{place}/out",
    )


def test_gold_labels_may_be_names_of_classes(storage, tmp_path):
    run = run_with_names(storage, tmp_path)
    assert rows_of(run) == [("a", 1, "free"), ("b", -1, "nice"), ("c", None, "x"), ("d", None, "y")]
    assert read_points(run).where("gold != 0").count() == 2


def test_a_gold_label_that_names_no_class_is_found_before_work(storage, tmp_path):
    run = run_with_names(storage, tmp_path, [*GOLD_NAMES, ("e", "Spam", "z")])
    found = next(
        f for f in run_checks(BEFORE_WORK, Subject(run, read_points)) if f.check == "gold labels and splits"
    )
    assert [
        "'gold' holds 'Spam': expected one of ['ham', 'spam'], and nothing (null" in str(p)
        for p in found.problems
    ] == [True]


def test_gold_labels_that_are_texts_need_names_of_classes(storage, tmp_path):
    with pytest.raises(SchemaError, match=r"string: expected integers.*or name its texts in class_names"):
        read_points(run_with_names(storage, tmp_path, names=""))
