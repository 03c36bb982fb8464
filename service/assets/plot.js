"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const host = document.getElementById("chart");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const times = data.timestamps.map((t) => t / data.ticks_per_second);
  const full = [times[0], times[times.length - 1]];
  const alarms = data.values.map((value, i) => (data.anomaly[i] ? value : null));
  const number = (u, value) => (value == null ? "–" : Number(value.toPrecision(7)).toString());
  const hasBand = data.lower.some((v) => v != null) && data.upper.some((v) => v != null);
  const height = () => Math.max(260, Math.min(560, window.innerHeight * 0.6));
  let plot;

  const draw = () => {
    const range = plot ? [plot.scales.x.min, plot.scales.x.max] : full;
    if (plot) plot.destroy();
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    const edge = { stroke: colour("--band"), width: 1, points: { show: false }, value: number };
    const options = {
      width: host.clientWidth,
      height: height(),
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: true } },
      axes: [axis, { ...axis, size: 70 }],
      series: [
        { label: "time", value: (u, v) => (v == null ? "–" : new Date(v * 1e3).toISOString().replace(".000Z", "Z")) },
        { label: "value", stroke: colour("--value"), width: 1.25, points: { show: data.values.length < 400 }, value: number },
        { label: "expected", stroke: colour("--soft"), width: 1, dash: [6, 4], points: { show: false }, value: number },
        { label: "lower bound", ...edge },
        { label: "upper bound", ...edge },
        { label: "outside", paths: () => null, points: { show: true, size: 8, fill: colour("--alarm"), stroke: colour("--alarm") }, value: number },
      ],
      bands: hasBand ? [{ series: [4, 3], fill: colour("--band") + "33" }] : [],
    };
    plot = new uPlot(options, [times, data.values, data.expected, data.lower, data.upper, alarms], host);
    plot.setScale("x", { min: range[0], max: range[1] });
  };

  const move = (shift, zoom) => {
    const { min, max } = plot.scales.x;
    const span = (max - min) * zoom;
    const middle = (min + max) / 2 + (max - min) * shift;
    plot.setScale("x", { min: middle - span / 2, max: middle + span / 2 });
  };
  const keys = { ArrowLeft: [-0.2, 1], ArrowRight: [0.2, 1], "+": [0, 0.6], "=": [0, 0.6], "-": [0, 1 / 0.6] };

  draw();
  host.tabIndex = 0;
  host.addEventListener("keydown", (event) => {
    if (event.key === "0" || event.key === "Home") plot.setScale("x", { min: full[0], max: full[1] });
    else if (keys[event.key]) move(...keys[event.key]);
    else return;
    event.preventDefault();
  });
  new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height: height() })).observe(host);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
