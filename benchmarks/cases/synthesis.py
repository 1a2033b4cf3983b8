"""synthesis: rare classes with 20, 50, 200 positives; detectors given generated anomalies; fidelity; rows/s.

Arms of the first: nothing, class weights, SMOTE-NC (tabad's, after the paper: imbalanced-learn's takes no missing
numbers), the same network's rows unfiltered, the loop, and CTGAN where asked for. Peers of fidelity (with: train on
synthetic, test on real): CTGAN and TVAE (the settings of ctgan) and TabDDPM (from its paper), each for as long as five
minutes allow,
and SMOTE.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks import data, few_labels, fidelity, generated, known, machine, rare, results
from benchmarks.data import DataSet
from benchmarks.report import render

RARE_SETS = (
    "adult", "bank_full", "default_credit_card", "vehicle_insurance_fraud_oracle", "payment_fraud", "hmeq",
)  # fmt: skip
FIDELITY_SETS = ("adult", "bank_full", "default_credit_card")
POSITIVES, FEW = (20, 50, 200), (20, 50)
NEGATIVES, ROWS = 8_000, 20_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the case."""
    parser.add_argument("--quick", action="store_true", help="one set, 20 positives, one seed, few rows")
    parser.add_argument("--sets", help="names or parts of names for both parts")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--fidelity-seeds", type=int, default=3)
    parser.add_argument("--positives", help="numbers of rare rows, separated by commas; default: those of the part")
    parser.add_argument("--negatives", type=int, default=NEGATIVES)
    parser.add_argument("--part", choices=["rare", "few-labels", "fidelity", "speed", "all"], default="all")
    parser.add_argument("--rows", type=int, default=ROWS, help="training rows of the fidelity part, at most")
    parser.add_argument("--methods", default=",".join(fidelity.METHODS), help="of the fidelity part")
    parser.add_argument("--ctgan", action="store_true", help="CTGAN in the rare part too: minutes a job")
    parser.add_argument("--keep", action="store_true", help="write the results though parts, sets or seeds are missing")
    parser.add_argument("--resume", action="store_true", help="committed rows, of whatever build, are not made again")
    parser.add_argument("--minutes", type=float, help="start nothing after so many; what has run is put together")


def main(options: argparse.Namespace) -> int:
    """Run the case; what is in the cache is not run again."""
    machine.refuse_debug_build()
    machine.require("sklearn", "catboost", "torch")
    if options.resume and (options.quick or (options.negatives, options.rows) != (NEGATIVES, ROWS)):
        raise SystemExit("--resume takes up rows of the full sizes: leave out --quick, --negatives and --rows")
    if options.quick:
        options.sets, options.seeds, options.positives, options.negatives, options.rows = "hmeq", 1, "20", 1_000, 1_500
        options.methods = "tabad,SMOTE"
    options.deadline = None if options.minutes is None else time.time() + 60 * options.minutes
    rows: list[dict[str, Any]] = []
    if options.part in ("rare", "all"):
        rows += _of_jobs(options, "rare", POSITIVES, rare.run, rare.with_ctgan if options.ctgan else None)
        _print_rare(rows)
    if options.part in ("few-labels", "all"):
        found = _of_jobs(options, "few-labels", FEW, few_labels.run)
        _print_few_labels(found)
        rows += found
    if options.part in ("fidelity", "all"):
        made = (
            _made(
                options, {"part": "fidelity", "set": data_set.name, "seed": seed, "method": method},
                partial(fidelity.run, data_set, seed, options.rows, method),
            )
            for seed in range(min(options.seeds, options.fidelity_seeds))
            for data_set in _sets(options.sets or ",".join(FIDELITY_SETS))
            for method in options.methods.split(",")
        )  # fmt: skip
        found = [row for row in made if row is not None]
        _print_fidelity(found)
        rows += found
    if options.part in ("speed", "all"):
        speed = _made(options, {"part": "speed"}, partial(_speed, 4_000 if options.quick else 200_000))
        if speed is not None:
            rows.append(speed)
            print("\ngeneration:", ", ".join(f"{key} {value}" for key, value in speed.items() if key != "part"))
    full = (
        not options.quick
        and not options.sets
        and options.part == "all"
        and min(options.seeds / 10, options.fidelity_seeds / 3) >= 1
    )
    settings = {key: value for key, value in vars(options).items() if key not in ("case", "deadline")}
    earlier = known.runs("synthesis") if options.resume else []
    results.save("synthesis", rows, full=full or options.keep, settings=settings, earlier=earlier)
    return 0


def _made(
    options: argparse.Namespace, what: dict[str, Any], run: Callable[[], dict[str, Any]]
) -> dict[str, Any] | None:
    """A row of the results: the committed one where the run takes up from those, None where the time is up."""
    found = known.row("synthesis", what) if options.resume else None
    return found if found is not None or _is_late(options) else run()


def _is_late(options: argparse.Namespace) -> bool:
    return options.deadline is not None and time.time() > options.deadline


def _of_jobs(
    options: argparse.Namespace, part: str, positives: tuple[int, ...], run: Callable[[rare.Job], dict[str, Any]],
    more: Callable[[rare.Job, dict[str, Any]], dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """What `run` finds for every seed, number of rare rows and set, and what `more` adds to it."""
    numbers = tuple(map(int, options.positives.split(","))) if options.positives else positives
    jobs = [
        rare.Job(data_set, number, seed, options.negatives)
        for seed in range(options.seeds)
        for number in numbers
        for data_set in _sets(options.sets or ",".join(RARE_SETS))
    ]
    rows = []
    for done, job in enumerate(jobs, 1):
        what = {"part": part, "set": job.data_set.name, "positives": job.positives, "seed": job.seed}
        row = _made(options, what, partial(run, job))
        if row is None:
            continue
        if more is not None and not _is_late(options):
            row = more(job, row)
        rows.append(row)
        print(f"[{done}/{len(jobs)}] {job.data_set.name} {job.positives} seed {job.seed}", file=sys.stderr)
    return rows


def _sets(names: str) -> tuple[DataSet, ...]:
    every = data.data_sets("label") + data.data_sets()
    if not every:
        raise SystemExit(f"no data sets in {data.folder()}: set TABAD_DATA")
    return data.choose(every, names)


def _print_rare(rows: list[dict[str, Any]]) -> None:
    arms = list(dict.fromkeys(arm for r in rows for arm in r["ap"]))
    for learner in ("HGB", "CatBoost"):
        table: list[list[object]] = []
        for positives in sorted({r["positives"] for r in rows}):
            mine = [r for r in rows if r["positives"] == positives]
            names = dict.fromkeys(r["set"] for r in mine)
            table += [[positives, n, *_means([r for r in mine if r["set"] == n], arms, learner)] for n in names]
            table.append([positives, "MEAN", *_means(mine, arms, learner)])
        print(f"\nrare class, {learner}: average precision on real rows that nothing has seen; then by how much the")
        print("loop is above the better of nothing and class weights (95 % interval over seeds)")
        print(render(["positives", "set", *arms, "runs", "the loop added", "less the better"], table))


def _means(rows: list[dict[str, Any]], arms: list[str], learner: str) -> list[object]:
    of_arm = {arm: np.array([r["ap"].get(arm, {}).get(learner, np.nan) for r in rows]) for arm in arms}
    plain = max(("nothing", "class weights"), key=lambda arm: float(of_arm[arm].mean()))
    gain = of_arm[rare.AUGMENT] - of_arm[plain]
    reach = interval(gain)
    means = [_mean_of(of_arm[arm], of_arm[rare.AUGMENT]) for arm in arms]
    return [*means, len(rows), f"{np.mean([r['rounds'] > 0 for r in rows]):.0%}", reach]


def _mean_of(values: Any, loop: Any) -> str:
    """The mean; of an arm that not every run has, how many have it, and what the loop has on those."""
    known_B = ~np.isnan(values)
    if known_B.all():
        return f"{values.mean():.3f}"
    if not known_B.any():
        return "-"
    return f"{values[known_B].mean():.3f} ({known_B.sum()} runs; there the loop {loop[known_B].mean():.3f})"


def interval(gains: Any) -> str:
    """Mean and 95 % t-interval over runs."""
    from scipy import stats

    if len(gains) < 2:
        return f"{gains.mean():+.3f}"
    reach = float(stats.t.ppf(0.975, len(gains) - 1)) * gains.std(ddof=1) / np.sqrt(len(gains))
    return f"{gains.mean():+.3f} ({gains.mean() - reach:+.3f} to {gains.mean() + reach:+.3f})"


def _print_few_labels(rows: list[dict[str, Any]]) -> None:
    table: list[list[object]] = []
    for positives in sorted({r["positives"] for r in rows}):
        mine = [r for r in rows if r["positives"] == positives]
        for name in [*dict.fromkeys(r["set"] for r in mine), None]:
            some = [r for r in mine if name in (None, r["set"])]
            ap = {arm: np.array([r["ap"][arm] for r in some]) for arm in few_labels.ARMS}
            gain = interval(ap[few_labels.ARMS[2]] - ap[few_labels.ARMS[1]])
            table.append(
                [positives, name or "MEAN", *(f"{value.mean():.3f}" for value in ap.values()), len(some), gain]
            )
    print("\na detector that is told a few anomalies, and as many generated ones beside them: average precision")
    print(render(["positives", "set", *few_labels.ARMS, "runs", "generated less few"], table))


def _print_fidelity(rows: list[dict[str, Any]]) -> None:
    print(
        "\ngenerated rows beside unseen real ones (errors: multiples of what as many real rows have), and a classifier"
    )
    print("trained on them, tested on those; means over seeds")
    table: list[list[object]] = []
    for name in dict.fromkeys(r["set"] for r in rows):
        for method in dict.fromkeys(r["method"] for r in rows):
            mine = [r for r in rows if (r["set"], r["method"]) == (name, method)]
            if mine:
                table.append([name, method, len(mine), *_fidelity_means(mine)])
    heads = [
        "set",
        "method",
        "seeds",
        "shape error",
        "x real",
        "trend error",
        "x real",
        "C2ST",
        "AUC",
        "of real",
        "seconds",
    ]
    print(render(heads, table))


def _fidelity_means(rows: list[dict[str, Any]]) -> list[object]:
    def mean(key: str) -> float:
        return float(np.mean([r[key] for r in rows]))

    cells: list[object] = ["-"] * 5
    if "c2st" in rows[0]:
        cells = [
            f"{mean('shape_error'):.4f}", f"{mean('shape_error') / mean('shape_error_real'):.2f}",
            f"{mean('trend_error'):.4f}", f"{mean('trend_error') / mean('trend_error_real'):.2f}",
            f"{mean('c2st'):.3f}",
        ]  # fmt: skip
    seconds = f"{mean('seconds'):.0f}" if "seconds" in rows[0] else "-"
    return [*cells, f"{mean('auc_generated'):.4f}", f"{mean('auc_real'):.4f}", seconds]


def _speed(rows: int) -> dict[str, Any]:
    """Rows a second of a default model that only generates, of the table of the speed cases: 20 columns, and how large
    its network is."""
    import tabad
    from tabad.diffusion.presets import preset
    from tabad.diffusion.sample import Plan

    table = generated.table(20_000)
    model = tabad.fit(table, seed=0, all_rows=True)
    model.generate(4_096, seed=1)
    started = time.perf_counter()
    model.generate(rows, seed=0)
    seconds = time.perf_counter() - started
    size = preset("default", table.num_rows)
    return {
        "part": "speed", "rows": rows, "columns": table.num_columns, "rows_per_s": round(rows / seconds),
        "evaluations": Plan().steps, "width": size.width, "blocks": size.blocks,
    }  # fmt: skip
