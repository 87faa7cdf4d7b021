// SPDX-License-Identifier: Apache-2.0
// The style and the program of the page that report.cpp writes.
#pragma once

#include <string_view>

namespace report_page {

inline constexpr std::string_view style = R"css(
:root {
  color-scheme: light;
  --page: #f6f7f9; --card: #ffffff; --text: #1c2430; --quiet: #5b6675; --line: #dde2e9; --grid: #e8ebf0; --accent: #1f6fb5;
  --marked: #fff4d6;
}
@media (prefers-color-scheme: dark) {
  :root:not([data-theme="light"]) {
    color-scheme: dark;
    --page: #14181e; --card: #1d232b; --text: #e4e8ee; --quiet: #9aa5b3; --line: #323b47; --grid: #2b333d; --accent: #6db3f0;
    --marked: #3a3320;
  }
}
:root[data-theme="dark"] {
  color-scheme: dark;
  --page: #14181e; --card: #1d232b; --text: #e4e8ee; --quiet: #9aa5b3; --line: #323b47; --grid: #2b333d; --accent: #6db3f0;
  --marked: #3a3320;
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
.wide { max-width: 1720px; margin: 0 auto; padding: 0 clamp(12px, 2.5vw, 40px); }
header.page { padding-top: 28px; }
h1 { margin: 0; font-size: clamp(22px, 3vw, 30px); line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 40px 0 14px; font-size: 20px; }
h3 { margin: 0; font-size: 15px; font-weight: 600; overflow-wrap: anywhere; }
p { margin: 6px 0; }
.quiet, .note { color: var(--quiet); }
.note { font-size: 13px; margin: 8px 0 0; overflow-wrap: anywhere; }
.runs { list-style: none; margin: 14px 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: 6px 26px; }
.runs li { display: flex; align-items: baseline; gap: 8px; overflow-wrap: anywhere; }
.dot { flex: none; width: 12px; height: 12px; border-radius: 3px; display: inline-block; }
nav { position: sticky; top: 0; z-index: 5; margin-top: 18px; background: var(--page); border-bottom: 1px solid var(--line); }
nav .wide { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 18px; padding-top: 8px; padding-bottom: 8px; }
nav a { color: var(--accent); text-decoration: none; padding: 2px 0; }
nav a:hover { text-decoration: underline; }
nav button { margin-left: auto; }
section { scroll-margin-top: 52px; }
button, select { font: inherit; font-size: 13px; color: var(--text); background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 3px 10px; cursor: pointer; }
.tools { display: flex; flex-wrap: wrap; gap: 8px 26px; align-items: center; margin-bottom: 14px; font-size: 14px; }
.tools label { display: flex; align-items: center; gap: 8px; }
.tools input[type="range"] { width: 150px; accent-color: var(--accent); }
output { min-width: 2.5em; font-variant-numeric: tabular-nums; }
.charts, .pictures { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); }
.pictures { align-items: start; }
.pictures + .pictures { margin-top: 16px; }
.card { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; min-width: 0; }
.card .top { display: flex; justify-content: space-between; align-items: baseline; gap: 12px; margin-bottom: 8px; }
.card .top label { flex: none; font-size: 13px; color: var(--quiet); display: flex; align-items: center; gap: 5px; }
.plot { position: relative; height: 270px; }
.chips { display: flex; flex-wrap: wrap; gap: 4px 6px; margin-top: 8px; }
.chip { display: inline-flex; align-items: center; gap: 6px; font-size: 12.5px; padding: 1px 8px; max-width: 100%; border-radius: 12px; overflow-wrap: anywhere; text-align: left; }
.chip[aria-pressed="false"] { opacity: 0.4; }
.chip svg { flex: none; }
.picture { cursor: zoom-in; display: block; max-width: 100%; height: auto; border-radius: 4px; background: #ffffff; }
.pixels { image-rendering: pixelated; }
button.plain { display: block; border: 0; padding: 0; background: none; max-width: 100%; margin: 0; }
dialog { border: 0; border-radius: 10px; padding: 12px; max-width: 96vw; max-height: 96vh; background: var(--card); cursor: zoom-out; }
dialog::backdrop { background: rgba(0, 0, 0, 0.7); }
dialog img { display: block; min-width: min(60vw, 700px); max-width: 100%; height: auto; background: #ffffff; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 5px 14px; border-top: 1px solid var(--line); overflow-wrap: anywhere; min-width: 110px; }
thead th { border-top: 0; color: var(--quiet); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 400; color: var(--quiet); min-width: 130px; width: 26%; }
tbody th.group { color: var(--text); font-weight: 600; padding-top: 12px; width: auto; }
td.number { font-variant-numeric: tabular-nums; }
tr.differs td { background: var(--marked); }
table.only-differing tr:not(.differs) { display: none; }
table.only-differing thead tr { display: table-row; }
pre { margin: 0; padding: 14px 16px; overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.side { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 560px), 1fr)); margin-top: 16px; align-items: start; }
.side > * { min-width: 0; }
.side h3 { margin-bottom: 8px; }
footer.wide { color: var(--quiet); font-size: 13px; margin-top: 44px; padding-bottom: 36px; }
@media (max-width: 520px) {
  .card { padding: 12px; }
  .plot { height: 230px; }
  th, td { padding: 5px 10px; }
}
@media print {
  :root, :root:not([data-theme="light"]), :root[data-theme="dark"] {
    color-scheme: light;
    --page: #ffffff; --card: #ffffff; --text: #000000; --quiet: #444444; --line: #bbbbbb; --grid: #dddddd; --marked: #fff4d6;
  }
  body { font-size: 11pt; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  nav, .tools, .card .top label, button.theme { display: none; }
  .charts, .pictures { grid-template-columns: 1fr 1fr; }
  .card, .scroll tr, pre { break-inside: avoid; }
  h2 { break-after: avoid; }
  .plot { height: auto; }
  canvas { max-width: 100%; height: auto !important; }
  .scroll { overflow: visible; }
  pre { white-space: pre-wrap; }
}
)css";

inline constexpr std::string_view script = R"js(
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const several = data.runs.length > 1;
  const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3], [1, 5], [14, 5]];
  const charts = [];
  let weight = 0;
  let axis = "step";
  let printing = false;

  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const digits = new Intl.NumberFormat("en", {maximumSignificantDigits: 5});
  const percent = new Intl.NumberFormat("en", {style: "percent", maximumFractionDigits: 2});
  const style = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const isDark = () => !printing && (root.dataset.theme === "dark" ||
    (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches));

  // Dark colours of the palette are hard to see on a dark page: there each is mixed with white.
  const colour = (hex, alpha = 1) => {
    const part = (at) => {
      const value = parseInt(hex.slice(at, at + 2), 16);
      return isDark() ? Math.round(value + (255 - value) * 0.3) : value;
    };
    return `rgba(${part(1)}, ${part(3)}, ${part(5)}, ${alpha})`;
  };

  // The exponential mean, without its bias to the first values.
  const smooth = (values, w) => {
    let sum = 0;
    let share = 0;
    return values.map((value) => {
      if (value === null) return null;
      sum = w * sum + (1 - w) * value;
      share = w * share + (1 - w);
      return sum / share;
    });
  };

  const points = (run, x, y) => {
    const scale = axis === "epoch" ? data.runs[run].stepsPerEpoch : 1;
    return x.map((step, i) => ({x: step / scale, y: y[i] === null ? NaN : y[i]}));
  };

  const swatch = (hex, dash) => {
    const namespace = "http://www.w3.org/2000/svg";
    const drawing = document.createElementNS(namespace, "svg");
    drawing.setAttribute("width", 24);
    drawing.setAttribute("height", 8);
    const line = document.createElementNS(namespace, "line");
    for (const [name, value] of Object.entries({x1: 0, x2: 24, y1: 4, y2: 4, "stroke-width": 2.5, stroke: hex ? colour(hex) : "currentColor"}))
      line.setAttribute(name, value);
    if (dash.length) line.setAttribute("stroke-dasharray", dash.join(" "));
    drawing.append(line);
    return drawing;
  };

  const layersOf = (spec) => [...new Set(spec.series.map((series) => series.layer).filter((layer) => layer !== undefined))];

  // Colours say the run, and dashes the layer; where there is one run, colours say the layer.
  const lookOf = (spec, series) => {
    const layer = Math.max(0, layersOf(spec).indexOf(series.layer));
    return several ? {hex: data.runs[series.run].colour, dash: dashes[layer % dashes.length]}
                   : {hex: data.palette[layer % data.palette.length], dash: dashes[Math.floor(layer / data.palette.length) % dashes.length]};
  };
  const nameOf = (series) => [several ? data.runs[series.run].name : "", series.layer ?? ""].filter(Boolean).join(", ");

  const datasets = (spec, hidden) => {
    const made = [];
    for (const series of spec.series) {
      const {hex, dash} = lookOf(spec, series);
      const base = {borderColor: colour(hex), backgroundColor: colour(hex), borderDash: dash, borderWidth: 2, pointRadius: 0, clip: 6,
                    hidden: hidden.has(`run ${series.run}`) || hidden.has(`layer ${series.layer}`), tension: 0};
      if (spec.kind === "layers") {
        made.push({...base, label: nameOf(series) || spec.title, data: series.y, pointRadius: 4, pointHoverRadius: 5});
        continue;
      }
      const x = series.x ?? data.runs[series.run].x;
      const isSmoothed = spec.smooth && weight > 0;
      const radius = x.length <= 12 ? 3 : x.length <= 30 ? 1.5 : 0;
      if (series.low) {
        made.push({...base, aux: true, borderWidth: 0, data: points(series.run, x, series.low), fill: false});
        made.push({...base, aux: true, borderWidth: 0, data: points(series.run, x, series.high), fill: "-1",
                   backgroundColor: colour(hex, 0.15)});
      }
      if (isSmoothed)
        made.push({...base, aux: true, borderWidth: 1, borderColor: colour(hex, 0.25), data: points(series.run, x, series.y)});
      made.push({...base, label: nameOf(series) || spec.title, pointRadius: radius, pointHoverRadius: 4,
                 data: points(series.run, x, isSmoothed ? smooth(series.y, weight) : series.y)});
    }
    return made;
  };

  const options = (spec, log) => {
    const tick = {color: style("--quiet"), font: {size: 12}};
    const grid = {color: style("--grid"), borderColor: style("--line")};
    const format = (value) => (spec.percent ? percent : digits).format(value);
    const y = {type: log ? "logarithmic" : "linear", grid, ticks: {...tick, maxTicksLimit: 7}};
    if (!log) {
      const least = Math.min(...spec.values.slice(0, 20000));
      const most = Math.max(...spec.values.slice(0, 20000));
      y.beginAtZero = Boolean(spec.zero) || (least >= 0 && least < 0.05 * (most - least));
      y.ticks.callback = format;
      y.grace = y.beginAtZero ? 0 : "4%";
    }
    const x = spec.kind === "layers"
      ? {type: "category", grid, offset: true, ticks: tick}
      : {type: "linear", grid, ticks: {...tick, maxTicksLimit: 8, maxRotation: 0, includeBounds: false, precision: axis === "step" ? 0 : undefined, callback: (value) => digits.format(value)},
         title: {display: true, text: axis, color: style("--quiet"), padding: 0}};
    if (spec.kind !== "layers") {
      // From the beginning of the runs, unless the log begins late, to the end of the longest one: all charts alike.
      const ends = data.charts.flatMap((chart) => chart.kind === "layers" ? [] : chart.series.map((series) => {
        const steps = series.x ?? data.runs[series.run].x;
        return [steps[0], steps.at(-1)].map((step) => step / (axis === "epoch" ? data.runs[series.run].stepsPerEpoch : 1));
      }));
      const first = Math.min(...ends.map((end) => end[0]));
      const last = Math.max(...ends.map((end) => end[1]));
      x.min = first > 0.1 * last && first < last ? first : 0;
      x.max = last;
    }
    return {
      responsive: true, maintainAspectRatio: false, animation: false, normalized: true,
      layout: {padding: {right: 10}},
      parsing: spec.kind === "layers" ? undefined : false,
      interaction: {mode: spec.kind === "layers" ? "index" : "nearest", axis: "x", intersect: false},
      scales: {x, y},
      plugins: {
        legend: {display: false},
        tooltip: {
          filter: (item) => !item.dataset.aux,
          callbacks: {
            title: (items) => !items.length ? "" : spec.kind === "layers" ? items[0].label : `${axis} ${digits.format(items[0].parsed.x)}`,
            label: (item) => `${item.dataset.label}: ${format(item.parsed.y)}`,
          },
        },
      },
    };
  };

  const add = (spec) => {
    const place = document.querySelector(`[data-charts="${spec.section}"]`);
    const hidden = new Set();
    const canvas = element("canvas", {ariaLabel: spec.title});
    canvas.setAttribute("role", "img");
    const top = element("div", {className: "top"}, element("h3", {textContent: spec.title}));
    const figure = element("figure", {className: "card"}, top, element("div", {className: "plot"}, canvas));

    const values = spec.values = spec.series.flatMap((series) => series.y).filter((value) => value !== null);
    const least = values.reduce((a, b) => Math.min(a, b), Infinity);
    const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
    let log = false;
    if (spec.log && least > 0 && most > least) {
      log = spec.log === "where it helps" && most / least > 50;
      const box = element("input", {type: "checkbox", checked: log});
      box.addEventListener("change", () => { log = box.checked; chart.options = options(spec, log); chart.update(); });
      top.append(element("label", {}, box, "log axis"));
    }

    const layers = layersOf(spec);
    const chips = element("div", {className: "chips"});
    const chip = (key, text, look) => {
      const button = element("button", {className: "chip", type: "button"}, swatch(look.hex, look.dash), text);
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        hidden.has(key) ? hidden.delete(key) : hidden.add(key);
        button.setAttribute("aria-pressed", String(!hidden.has(key)));
        draw();
      });
      button.look = look;
      chips.append(button);
    };
    if (several) for (const run of new Set(spec.series.map((series) => series.run)))
      chip(`run ${run}`, data.runs[run].name, {hex: data.runs[run].colour, dash: []});
    if (spec.kind !== "layers" && layers.length > 1)
      for (const layer of layers) {
        const look = lookOf(spec, spec.series.find((series) => series.layer === layer));
        chip(`layer ${layer}`, layer, {hex: several ? null : look.hex, dash: look.dash});
      }
    if (chips.childElementCount) figure.append(chips);
    for (const note of spec.notes ?? []) figure.append(element("p", {className: "note", textContent: note}));
    place.append(figure);

    const chart = new Chart(canvas, {
      type: "line",
      data: {labels: spec.kind === "layers" ? spec.layers : undefined, datasets: datasets(spec, hidden)},
      options: options(spec, log),
    });
    const draw = () => {
      chart.data.datasets = datasets(spec, hidden);
      chart.options = options(spec, log);
      chart.update();
      for (const button of chips.children) button.replaceChild(swatch(button.look.hex, button.look.dash), button.firstChild);
    };
    charts.push({chart, draw});
  };

  const redraw = () => charts.forEach((one) => one.draw());

  if (typeof Chart !== "undefined") {
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    Chart.defaults.locale = "en";
    data.charts.forEach(add);
    const slider = document.getElementById("smoothing");
    if (slider) {
      const told = document.getElementById("smoothing-value");
      const set = () => { weight = Number(slider.value); told.textContent = weight.toFixed(2); redraw(); };
      slider.addEventListener("input", set);
      set();
    }
    const choice = document.getElementById("axis");
    if (choice) choice.addEventListener("change", () => { axis = choice.value; redraw(); });
  }

  const theme = document.querySelector("button.theme");
  const themes = ["auto", "light", "dark"];
  let chosen = 0;
  theme.addEventListener("click", () => {
    chosen = (chosen + 1) % themes.length;
    if (chosen === 0) delete root.dataset.theme; else root.dataset.theme = themes[chosen];
    theme.textContent = `theme: ${themes[chosen]}`;
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => { printing = true; redraw(); charts.forEach((one) => one.chart.resize()); });
  addEventListener("afterprint", () => { printing = false; redraw(); charts.forEach((one) => one.chart.resize()); });

  for (const box of document.querySelectorAll("input[data-table]"))
    box.addEventListener("change", () => document.getElementById(box.dataset.table).classList.toggle("only-differing", box.checked));

  const dialog = document.querySelector("dialog");
  if (dialog) {
    for (const button of document.querySelectorAll("button.plain"))
      button.addEventListener("click", () => {
        dialog.replaceChildren(element("img", {src: button.firstElementChild.src, alt: button.firstElementChild.alt}));
        dialog.showModal();
      });
    dialog.addEventListener("click", () => dialog.close());
  }
})();
)js";

}  // namespace report_page
