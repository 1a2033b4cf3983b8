"""Runs resume from the cache, failures are counted, and generated tables do not depend on their size."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks import generated, known, results, summary
from benchmarks.data import DataSet
from benchmarks.detectors import neighbours
from benchmarks.report import render
from benchmarks.runner import Job, run_job


@pytest.fixture
def job(tmp_path, monkeypatch) -> Job:
    monkeypatch.setenv("TABAD_BENCH_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=90), rng.normal(size=10) + 9])
    pq.write_table(pa.table({"x": x, "is_anomaly": (np.arange(100) >= 90).astype(np.int8)}), tmp_path / "t.parquet")
    return Job(DataSet("t", "numeric", "t", tmp_path / "t.parquet", "is_anomaly"), "clean", 0, ("kNN",), threads=1)


def test_a_result_is_read_back_and_not_run_again(job, monkeypatch) -> None:
    [first] = run_job(job)
    monkeypatch.setattr(neighbours, "METHODS", ())

    with pytest.raises(KeyError):
        run_job(Job(**{**job.__dict__, "fresh": ("kNN",)}))
    monkeypatch.undo()
    monkeypatch.setenv("TABAD_BENCH_CACHE", str(job.data_set.path.parent / "cache"))

    assert run_job(job) == [first]
    assert first["auroc"] > 0.99
    assert (first["train_rows"], first["test_rows"], first["anomalies"]) == (45, 55, 10)


def test_a_run_goes_on_from_the_committed_results_of_the_same_versions(job, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    known._content.cache_clear()
    known._rows.cache_clear()
    [first] = run_job(job)
    results.save("some-case", summary.rows([first], ["kNN"]), full=True)
    monkeypatch.setenv("TABAD_BENCH_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("benchmarks.runner._run", lambda *_: pytest.fail("was run again"))
    resumed = Job(**{**job.__dict__, "resumes": "some-case"})

    [again] = run_job(resumed)

    shared = {key: first[key] for key in ("set", "setting", "seed", "method", "version", "train_rows", "anomalies")}
    assert again.items() >= shared.items()
    assert (again["auroc"], again["ap"]) == (round(first["auroc"], 5), round(first["ap"], 5))
    assert [run["command"][:20] for run in known.runs("some-case")] == ["python -m benchmarks"]
    with pytest.raises(pytest.fail.Exception, match="was run again"):
        run_job(Job(**{**resumed.__dict__, "seed": 1}))


def test_a_committed_row_is_found_by_what_it_is_of_and_an_error_is_no_result(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    known._content.cache_clear()
    rows = [{"set": "t", "seed": 0, "auc": 0.5}, {"set": "t", "seed": 1, "error": "took longer than 3 s"}]
    results.save("some-case", rows, full=True)

    assert known.row("some-case", {"set": "t", "seed": 0}) == rows[0]
    assert known.row("some-case", {"set": "t", "seed": 1}) is None
    assert known.row("some-case", {"set": "t", "seed": 2}) is None
    assert known.row("no-such-case", {"set": "t"}) is None


def of(method: str, seed: int, value: float, name: str = "t") -> dict:
    shared = {"set": name, "family": name, "setting": "clean", "train_rows": 1, "test_rows": 1, "anomalies": 1}
    return shared | {"method": method, "version": "1", "seed": seed, "auroc": value, "ap": value, "seconds": 1.0}


def test_a_peer_that_has_run_on_some_sets_is_compared_on_those_and_its_rows_are_kept() -> None:
    found = [of("tabad", 0, 0.9), of("slow", 0, 0.8), of("tabad", 0, 0.3, "u")]

    said = summary.on_fewer_sets(found, ["tabad"], "slow")

    assert said["sets"] == ["t"]
    assert said["methods"]["tabad"]["auroc"] == 0.9
    assert said["differences"]["tabad"]["auroc"]["mean"] == pytest.approx(0.1)
    rows = summary.rows(found, ["tabad", "slow"])
    assert [(r["set"], r["method"], r["auroc"]) for r in rows] == [
        ("t", "tabad", [0.9]), ("t", "slow", [0.8]), ("u", "tabad", [0.3])
    ]  # fmt: skip


def test_differences_are_over_the_seeds_that_both_have() -> None:
    found = [of("tabad", 0, 0.9), of("tabad", 1, 0.5), of("slow", 0, 0.8)]

    facts = summary.facts(summary.Table.of(found, ["tabad", "slow"]), ["tabad"])

    assert facts["methods"]["tabad"]["auroc"] == pytest.approx(0.7)
    assert facts["differences"]["tabad"]["slow"]["auroc"]["mean"] == pytest.approx(0.1)


def test_a_failing_peer_counts_as_chance_and_is_not_cached(job, monkeypatch) -> None:
    def broken(_task):
        raise ValueError("no")

    peer = neighbours.METHODS[0]
    monkeypatch.setattr(neighbours, "METHODS", (type(peer)(peer.name, peer.encoding, broken, peer.version),))

    [failed] = run_job(job)

    assert failed["error"] == "ValueError: no"
    assert (failed["auroc"], failed["ap"]) == (0.5, pytest.approx(10 / 55))
    monkeypatch.undo()


def test_the_first_rows_of_the_speed_table_do_not_depend_on_its_size() -> None:
    assert generated.table(1_000).slice(0, 50).equals(generated.table(50))


def test_the_speed_table_has_the_columns_that_are_promised() -> None:
    types = [str(field.type) for field in generated.table(10).schema]

    assert len(types) == 20
    assert types.count("string") == 6
    assert (types.count("bool"), types.count("timestamp[us]")) == (1, 1)


def test_tables_are_aligned() -> None:
    assert render(["a", "b"], [["x", 0.5], ["long", 1234.0]]) == "a         b\n----  -----\nx     0.500\nlong  1,234"
