import pytest
from voting import executed_plan, votes_of

from dp_spark.errors import IllegalVoteError, SchemaError
from dp_spark.labeling import crowd_lfs
from dp_spark.labeling.apply import apply_lfs
from dp_spark.labeling.crowd_lfs import read_crowd_lfs
from dp_spark.labeling.matrix import write_label_matrix

# Ann and bob vote often; cy, dee and 7 rarely: they are pooled.
VOTES = [
    (1, "ann", 1), (2, "ann", -1), (3, "ann", 0), (4, "ann", 1),
    (1, "bob", -1), (2, "bob", -1), (3, "bob", 1), (9, "bob", 1),
    (1, "cy", 1), (1, "dee", 1), (1, "7", -1),  # pooled: two of three say 1
    (2, "cy", 1), (2, "dee", -1),  # a tie
    (3, "7", -1), (3, "cy", None),
]  # fmt: skip
SCHEMA = "id long, worker string, vote int"
EXPECTED = {1: [1, -1, 1], 2: [-1, -1, 0], 3: [0, 1, -1], 4: [1, 0, 0], 5: [0, 0, 0]}


@pytest.fixture
def points(spark):
    return spark.range(1, 6).selectExpr("id", "id % 2 AS part")


@pytest.mark.parametrize("threshold", ["10485760", "-1"])
def test_frequent_workers_vote_alone_and_rare_ones_by_majority(spark, points, threshold):
    before = spark.conf.get("spark.sql.autoBroadcastJoinThreshold")
    spark.conf.set("spark.sql.autoBroadcastJoinThreshold", threshold)
    try:
        crowd = spark.createDataFrame(VOTES, SCHEMA).repartition(3)
        lfs = read_crowd_lfs(crowd, key=["id"], min_votes=4)
        assert [lf.name for lf in lfs] == ["worker ann", "worker bob", "rare workers"]
        assert {lf.kind for lf in lfs} == {"crowd"}
        matrix = apply_lfs(points, lfs[::-1], key=["id"])
        plan = executed_plan(matrix.df)
        assert plan.count("Join") == 1  # all read one table
        assert "Python" not in plan
        assert votes_of(matrix) == {i: row[::-1] for i, row in EXPECTED.items()}
    finally:
        spark.conf.set("spark.sql.autoBroadcastJoinThreshold", before)


def test_keys_of_several_columns_other_names_and_class_names(spark, points):
    topics = {-1: "sports", 1: "food", 0: None, None: None}
    rows = [(i, i % 2, worker, topics[vote]) for i, worker, vote in VOTES]
    crowd = spark.createDataFrame(rows, "id long, part int, who string, `the.topic` string")
    lfs = read_crowd_lfs(
        crowd, key=["part", "id"], worker="who", vote="the.topic", min_votes=4, pool="others"
    )
    assert [lf.name for lf in lfs] == ["worker bob", "others"]  # of ann's four votes one is null
    assert lfs[0].columns == ("part", "id")
    matrix = apply_lfs(points, lfs, key=["id"], class_names=["sports", "politics", "music", "food"])
    assert votes_of(matrix) == {1: [1, 4], 2: [1, 1], 3: [4, 1], 4: [0, 4], 5: [0, 0]}


def test_all_may_be_frequent_or_rare_and_workers_numbers(spark, points):
    crowd = spark.createDataFrame([(1, 10, 1), (1, 9, -1), (2, 9, -1)], "id long, worker int, vote tinyint")
    frequent = read_crowd_lfs(crowd, key=["id"], min_votes=1)
    rare = read_crowd_lfs(crowd, key=["id"])
    assert [lf.name for lf in (*frequent, *rare)] == ["worker 10", "worker 9", "rare workers"]
    assert votes_of(apply_lfs(points, [*frequent, *rare], key=["id"])) == {
        1: [1, -1, 0], 2: [0, -1, -1], 3: [0, 0, 0], 4: [0, 0, 0], 5: [0, 0, 0],
    }  # fmt: skip


def test_a_worker_who_votes_twice_on_a_data_point_or_has_no_name_is_refused(spark):
    twice = spark.createDataFrame([*VOTES, (2, "bob", 1)], SCHEMA)
    with pytest.raises(
        SchemaError, match=r"the pair of data point and worker \['id', 'worker'\] occurs more"
    ) as c:
        read_crowd_lfs(twice, key=["id"])
    assert "{'id': 2, 'worker': 'bob'}" in str(c.value)
    nameless = spark.createDataFrame([(1, None, 1)], SCHEMA)
    with pytest.raises(SchemaError, match="the pair of data point and worker .* is null in 1 rows"):
        read_crowd_lfs(nameless, key=["id"])


def test_a_table_without_votes_columns_or_with_too_many_workers_is_refused(spark, monkeypatch):
    crowd = spark.createDataFrame(VOTES, SCHEMA)
    with pytest.raises(SchemaError, match="crowd votes lacks columns: read_crowd_lfs reads 'item'"):
        read_crowd_lfs(crowd, key=["item"])
    with pytest.raises(SchemaError, match="the table of crowd votes holds no vote: expected at least one"):
        read_crowd_lfs(crowd.where("vote IS NULL"), key=["id"])
    monkeypatch.setattr(crowd_lfs, "MAX_WORKERS", 1)
    with pytest.raises(
        SchemaError, match="more than 1 workers have at least min_votes=4 votes.*Raise min_votes"
    ):
        read_crowd_lfs(crowd, key=["id"], min_votes=4)


def test_an_illegal_vote_names_the_worker(spark, points, storage, tmp_path):
    crowd = spark.createDataFrame([(1, "ann", 1), (2, "ann", 7), (2, "bob", 1)], SCHEMA)
    matrix = apply_lfs(points, read_crowd_lfs(crowd, key=["id"], min_votes=1), key=["id"])
    with pytest.raises(IllegalVoteError, match=r"'worker ann' returned 7 for the row {.id.: 2}"):
        write_label_matrix(matrix, str(tmp_path / "L"), storage)


def test_hashes_differ_by_worker_and_content_but_not_by_order(spark):
    def hashes(rows, **settings):
        lfs = read_crowd_lfs(spark.createDataFrame(rows, SCHEMA), key=["id"], **{"min_votes": 4, **settings})
        return [lf.content_hash for lf in lfs]

    base = hashes(VOTES)
    assert len(set(base)) == 3
    assert hashes(VOTES[::-1]) == base
    changed = hashes([(9, "bob", -1) if row == (9, "bob", 1) else row for row in VOTES])
    assert not set(changed) & set(base)
