#!/usr/bin/env python3
"""Makes golden.json: labels and scores with what the reference scorers say about them.

  generate.py SCORERS DATA > golden.json

SCORERS is the folder of the reference scorers (score_series.py, vus_pr.py, nab_score.py), DATA a
folder with the NAB series below as gzipped timestamp,value,label and with nab_windows_dev.json.
The scorers run as their users run them, on files in a temporary folder; nothing is recomputed here.
Needs numpy, pandas, scipy and numba.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

SCORERS, DATA = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(SCORERS))
import nab_score  # noqa: E402
from vus_pr import period_acf, segs, vus_pr  # noqa: E402

NAB = [
    "realTraffic/speed_7578.csv",
    "realAdExchange/exchange-3_cpc_results.csv",
    "realKnownCause/rogue_agent_key_hold.csv",
]
WIDTHS = [0, 1, 2, 7, 40, 300]
STEP = 300


def digits(x, n):
    """Rounded to n significant digits: what is stored is what is scored."""
    return np.array([float(f"%.{n}g" % v) for v in x])


def case(name, labels, scores, train_len, values=None, p_values=None):
    values = np.zeros(len(labels)) if values is None else values
    return dict(name=name, labels=np.asarray(labels, int), scores=digits(scores, 4), train_len=train_len,
                values=digits(values, 3), p_values=None if p_values is None else digits(p_values, 4))


def events(n, *runs):
    labels = np.zeros(n, int)
    for first, last in runs:
        labels[first:last + 1] = 1
    return labels


def synthetic():
    g = np.random.default_rng(20261123)
    wave = lambda n, period: np.sin(2 * np.pi * np.arange(n) / period) + .2 * g.normal(size=n)
    lifted = lambda labels, by: g.normal(size=len(labels)) + by * labels
    l = events(500, (200, 220), (400, 400))
    yield case("no skill", l, g.random(500), 100, wave(500, 24))
    yield case("some skill", l, lifted(l, 1.5), 100, wave(500, 50))
    yield case("ties", l, np.floor(2 * lifted(l, 1.5)) / 2, 100, wave(500, 30))
    yield case("constant score", l, np.full(500, 3.0), 100, wave(500, 90))
    yield case("perfect", l, l + 0.0, 100, wave(500, 12))
    yield case("shorter than the thresholds", s := events(90, (40, 44), (70, 71)), lifted(s, 1), 0, wave(90, 7))
    yield case("events at both ends", e := events(600, (0, 9), (590, 599)), lifted(e, 1), 0, wave(600, 33))
    yield case("event in the training part only", t := events(600, (20, 29)), lifted(t, 1), 200, wave(600, 33))
    yield case("no event", events(600), g.normal(size=600), 200, wave(600, 33))
    near = events(800, (200, 201), (204, 204), (211, 230), (232, 232), (290, 300), (420, 420))
    yield case("events near each other", near, lifted(near, 1), 150, wave(800, 64))
    dense = (g.random(800) < .3).astype(int)
    yield case("a third of all points", dense, lifted(dense, 1), 100, wave(800, 288))
    late = np.roll(near, 5) + 1e-3 * g.random(800)
    yield case("five points late", near, late, 150, wave(800, 100))
    yield case("huge and negative", near, -1e100 * g.random(800), 150, 1e100 * wave(800, 40))
    one = events(1500, (1200, 1260))
    p = np.minimum(1, g.random(1500) * np.where(one, .01, .7))
    yield case("p-values", one, -np.log10(p), 300, wave(1500, 77), p)
    guard = events(1500, (300, 310), (700, 704), (1300, 1300))
    p = np.where(g.random(1500) < .01, 1e-4, g.random(1500))
    p[660:750] = 1e-5
    yield case("alarms around the guard", guard, -np.log10(p), 335, wave(1500, 200), p)


def nab_series():
    for name in NAB:
        path = DATA / "dev" / "NAB" / ("NAB__%s.gz" % name.replace("/", "+"))
        d = pd.read_csv(path)
        x = digits(d.value.values, 3)
        before = pd.Series(x).shift(1).rolling(50, min_periods=10)
        z = ((x - before.mean()) / (before.std() + 1e-9)).abs().fillna(0).values
        c = case(name, d.label.values, np.minimum(z, 100), int(.15 * len(d)), x)
        c["timestamps"] = d.timestamp.values
        yield c


def run_scorers(cases):
    """Per-series figures of score_series.py, by case."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        rows = []
        for i, c in enumerate(cases):
            n, file = len(c["labels"]), "case%d.csv" % i
            time = np.arange(n) * STEP
            for sub in ("data", "results"):
                (folder / sub).mkdir(exist_ok=True)
            pd.DataFrame(dict(timestamp=time, value=c["values"], label=c["labels"])).to_csv(folder / "data" / file, index=False)
            out = dict(timestamp=time, value=c["values"], anomaly_score=c["scores"])
            if c["p_values"] is not None:
                out["p_value"] = c["p_values"]
            pd.DataFrame(out).to_csv(folder / "results" / file, index=False)
            rows.append(dict(file=file, dataset=c["name"], train_len=c["train_len"], step_s=STEP, tsb_file="", tsb_from="", tsb_len=""))
        pd.DataFrame(rows).to_csv(folder / "index.csv", index=False)
        subprocess.run([sys.executable, SCORERS / "score_series.py", folder / "data", folder / "index.csv", folder / "results",
                        "--out", folder / "out.csv"], check=True, stdout=subprocess.DEVNULL)
        got = pd.read_csv(folder / "out.csv").set_index("file")
    for i, c in enumerate(cases):
        r = got.loc["case%d.csv" % i]
        f = lambda k: None if pd.isna(r.get(k)) else float(r[k])
        ratios = [f("fpr_x(%g)" % a) for a in (1e-2, 1e-3, 1e-4)]
        c["expected"] = dict(
            window=period_acf(c["values"]), vus_pr=f("vus_pr"), auc_pr=f("auc_pr"), event_f1=f("evF1"), ucr=f("ucr"),
            ratios=None if None in ratios else ratios, alerts_a_day=f("alarms_per_day(1e-3)"),
            vus_pr_by_width=[vus_pr(c["labels"], c["scores"], w) if c["labels"].any() else None for w in WIDTHS])


def run_nab(cases):
    windows = {k: v for k, v in json.load(open(DATA / "nab_windows_dev.json")).items() if k in NAB}
    def corpus(names, cut):
        with tempfile.TemporaryDirectory() as folder:
            for c in cases:
                f = Path(folder) / c["name"]
                f.parent.mkdir(exist_ok=True)
                pd.DataFrame(dict(timestamp=c["timestamps"], anomaly_score=cut(c["scores"]))).to_csv(f, index=False)
            return nab_score.Corpus(windows, folder, only=set(names))
    out = []
    for name, cut in [("as they are", lambda s: s), ("whole numbers", np.floor)]:
        c, half, rest = corpus(NAB, cut), corpus(NAB[:1], cut), corpus(NAB[1:], cut)
        for profile in nab_score.PROFILES:
            t, score = c.best(profile)
            learned = half.best(profile)[0]
            hit, windows_, rows, live, runs = c.counts(t)
            out.append(dict(
                scores=name, profile=profile, threshold=float(t), score=float(score),
                at=[[x, float(c.at(profile, x))] for x in (1.0, 2.5, 4.0, 50.0, 1000.0)],
                learned=float(learned), held_out=float(rest.at(profile, learned)),
                windows_found=hit, windows=windows_, false_rows=rows, rows_outside=live, false_alerts=runs,
                series=[dict(raw=float(r), windows=w, false_rows=f)
                        for _, r, w, f in sorted(c.file_norm(profile, t), key=lambda s: NAB.index(s[0]))]))
    for c in cases:
        first = {int(t): i for i, t in reversed(list(enumerate(c["timestamps"])))}
        seconds = lambda text: int((nab_score.key_of_time(text) - nab_score.datetime(1970, 1, 1)).total_seconds())
        c["windows"] = [[first[seconds(a)], first[seconds(b)]] for a, b in windows[c["name"]]]
    return out


def short(x):
    return None if x is None else [int(v) if v == int(v) and abs(v) < 1e9 else float(v) for v in x]


def main():
    made, nab = list(synthetic()), list(nab_series())
    run_scorers(made + nab)
    scores = run_nab(nab)
    cases = []
    for c in made + nab:
        u, v = segs(c["labels"])
        cases.append(dict(
            name=c["name"], train_len=c["train_len"], n=len(c["labels"]), events=[[int(a), int(b)] for a, b in zip(u, v)],
            windows=c.get("windows"), values=short(c["values"]), scores=short(c["scores"]), p_values=short(c["p_values"]), expected=c["expected"]))
    print('{"step_s": %d, "widths": %s,\n"cases": [' % (STEP, WIDTHS))
    print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
    print('],\n"nab": [')
    print(",\n".join(json.dumps(c, separators=(",", ":")) for c in scores))
    print("]}")


main()
