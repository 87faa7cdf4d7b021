#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes pages about runs made here, and looks at them in headless Chromium where that is: no error in the console, something drawn on
every canvas, every picture shown, nothing beside the page or over something else, at several widths.

Ends with 77, which ctest counts as skipped, where all was well but there was no Chromium or no Chart.js.

Usage: report_test.py <the program jessl> <folder to work in>
"""
import json
import math
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import zlib

program, work = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
failures, skipped = [], []
EVIL = "</script><script>document.title='broken'</script><!-- & \" ' <b>"
LAYERS = ["representation", "projector.0", "projector.1"]


def png(width, height, colour):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in (colour, x * 5 % 256, y * 3 % 256)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def make_run(name, seed, epochs=4, steps=50, monitors=True, pictures=("views", "neighbours", "map", "confusion", "loss")):
    """A folder as a run leaves it."""
    folder, rng, lines = work / name, random.Random(seed), []
    folder.mkdir(parents=True)
    for step in range(1, epochs * steps + 1):
        done = step / (epochs * steps)
        invariance = 1 + 40 * math.exp(-6 * done) + 0.3 * rng.random()
        lines.append({"step": step, "epoch": (step - 1) // steps, "loss": 2 + 3 * math.exp(-4 * done) + 0.2 * rng.random(),
                      "parts": {"invariance": invariance, "variance": 0.5 + 0.1 * rng.random()},
                      "learning_rate": 3e-3 * math.sin(math.pi * done) + 1e-6, "images_per_second": 900 + 90 * rng.random(),
                      "loader_seconds": 0.002 * (1 + rng.random())})
        if not monitors or step % steps:
            continue
        at = {"step": step, "epoch": (step - 1) // steps}
        know = lambda i: 0.8 - 0.1 * i - 0.5 * math.exp(-3 * done) + 0.01 * seed
        for part in ("train", "test"):
            lines.append({**at, "measured_by": "OnlineProbe", "protocol": {"classifier": "linear, trained beside the network", "views": part},
                          "values": {part: {layer: {"top1": know(i), "loss": 2 - know(i)} for i, layer in enumerate(LAYERS)}}})
        lines.append({**at, "measured_by": "KNNMonitor", "protocol": {"k": 20 * seed}, "values": {layer: {"top1": know(i)} for i, layer in enumerate(LAYERS)}})
        lines.append({**at, "measured_by": "RankMonitor", "protocol": {"images": 1000},
                      "values": {layer: {"rank_me": 100 * know(i) + 5} for i, layer in enumerate(LAYERS)}})
        lines.append({**at, "measured_by": "CollapseMonitor", "protocol": {}, "values": {layer: {"spread": "nan" if step == steps else know(i)} for i, layer in enumerate(LAYERS)}})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text + '{"step": 9999, "lo')  # as a kill leaves it
    for number, picture in enumerate(pictures):
        (folder / f"{picture}.png").write_bytes(png(200 + 150 * number, 160 + 60 * number, 40 * number))
    (folder / "table.txt").write_text(f"representation    top-1\ntrained {EVIL}\n")
    (folder / "summary.json").write_text(json.dumps({
        "trained": {"knn20_top1": 80.0 + seed}, "train_seconds": 12.345,
        "config": {"loss": {"name": "NTXent", "temperature": 0.1 * seed}, "run": {"epochs": epochs, "note": EVIL},
                   "augmentation": {"views": [{"name": "compose", "operations": [{"name": "RandomResizedCrop", "scale": [0.4, 1.0]}, {"name": "Normalize"}]}]},
                   "resolved": {"device": "cpu", "threads": 2}}}))
    return folder


def report(page, *folders, environment=None):
    return subprocess.run([program, "report", *map(str, folders), "--out", str(work / page)], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **(environment or {})})


def written(page, *folders):
    result = report(page, *folders)
    if result.returncode != 0:
        failures.append(f"{page}: exit code {result.returncode}, expected 0:\n{result.stderr}")
        return ""
    return (work / page).read_text()


def refused(what, message, page, *folders, environment=None):
    result = report(page, *folders, environment=environment)
    if result.returncode != 1 or not re.search(message, result.stderr):
        failures.append(f"{what}: exit code {result.returncode}, expected 1 and '{message}':\n{result.stderr}")
    if (work / page).exists():
        failures.append(f"{what}: a page was written all the same")


def expect(what, condition):
    if not condition:
        failures.append(what)


def data_of(html):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


# --- Runs, and what the program says of folders that are none ------------------------------------------------------------

first = make_run("runs/first", 1)
second = make_run(f"runs/second & <i>", 2, epochs=3)
third = make_run("runs/third", 3, monitors=False, pictures=("views",))
long = make_run("long", 4, epochs=3, steps=10000, pictures=())
short = make_run("short", 5, epochs=1, steps=1, pictures=())
shown = work / "pictures"
shown.mkdir()
(shown / "anything_else.png").write_bytes(png(300, 200, 7))
(shown / "damaged.png").write_bytes(b"no PNG")
(shown / "damaged.json").write_text("{")
(work / "empty").mkdir()

refused("no folder", "is no folder; name the folders", "none.html", work / "absent")
refused("nothing of a run", "has nothing of a run: no metrics.jsonl", "none.html", work / "empty")
refused("no Chart.js", r"Chart\.js, which draws the curves, is not here \(looked for /absent\): apt-get install libjs-chart\.js", "none.html", first,
        environment={"JESSL_CHART_JS": "/absent"})
refused("another file", "is not Chart.js 3", "none.html", first, environment={"JESSL_CHART_JS": __file__})

alone = written("pictures.html", shown)  # without curves it needs no Chart.js
expect("a folder of pictures has no curves and no empty section", "Anything else" in alone and "data-charts" not in alone.split('<script')[0] and alone.count("<section") == 1)
expect("a file that is no PNG is left out", "amaged" not in alone)

charts = os.environ.get("JESSL_CHART_JS") or "/usr/share/javascript/chart.js/chart.min.js"
if not pathlib.Path(charts).exists():
    print(f"skipped: no Chart.js at {charts} (apt-get install libjs-chart.js)")
    sys.exit(f"{len(failures)} failures:\n" + "\n".join(failures) if failures else 77)

one = written("one.html", first)
three = written("three.html", first, second, third)
for name, page in (("one", one), ("three", three)):
    expect(f"{name}: what a folder says is escaped", "document.title='broken'</script>" not in page and "&lt;/script&gt;" in page)
    expect(f"{name}: asks the network for nothing", not re.search(r'(?:src|href)="(?!data:image/png|#)', page.split("<script>")[0]))
    expect(f"{name}: loss.png is drawn anew", page.count("<img") == (4 if name == "one" else 9))
titles = [chart["title"] for chart in data_of(one)["charts"]]
expect(f"the loss comes first, then its parts: {titles}", titles[:4] == ["Loss", "Parts: invariance", "Parts: variance", "Learning rate"])
expect(f"measurements have charts: {titles}", {"OnlineProbe, test: top-1 accuracy", "RankMonitor: RankMe", "RankMonitor: RankMe at the end, by layer"} <= set(titles))
expect("a run's name is what tells it from the others", [run["name"] for run in data_of(three)["runs"]] == ["first", "second & <i>", "third"])
both = written("both.html", make_run("a/run", 1, pictures=()), make_run("b/run", 2, pictures=()))
expect("equal names have their folders", [run["name"] for run in data_of(both)["runs"]] == ["a/run", "b/run"])
expect("settings that differ are marked", re.search(r'<tr class="differs"><th scope="row">loss</th>', both) is not None)
silent = make_run("silent", 2, pictures=())
(silent / "summary.json").write_text(json.dumps({"config": {"loss": {"name": "NTXent", "temperature": 0.1}}}))
told = written("told.html", first, silent)
expect("what a run does not tell of is no difference", "differs\"><th" not in told and "augmentation.views" in told)
protocols = next(chart for chart in data_of(both)["charts"] if chart["title"] == "KNNMonitor: top-1 accuracy")["notes"]
expect(f"protocols that differ are told: {protocols}", protocols == ["The protocols differ.", "a/run: k 20", "b/run: k 40"])

many = written("long.html", long)
curve = data_of(many)["charts"][0]
expect("a long run is downsampled", len(curve["series"][0]["y"]) == 1500 and len(data_of(many)["runs"][0]["x"]) == 1500)
expect("and the page says so", "mean of up to 20 steps" in curve["notes"][0])
expect(f"and is small: {len(many)} bytes", len(many) < 2_000_000)
written("short.html", short)

# --- In a browser ----------------------------------------------------------------------------------------------------------

LOOK = """<script>addEventListener("load", () => {
  const found = {title: document.title, width: innerWidth, wide: document.scrollingElement.scrollWidth, canvases: 0, blank: [], images: 0, faults: []};
  for (const canvas of document.querySelectorAll("canvas")) {
    ++found.canvases;
    const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    const colours = new Set(pixels);
    if (colours.size < 4) found.blank.push(canvas.ariaLabel);
    const chart = Chart.getChart(canvas);
    if (!chart.data.datasets.some((set) => !set.aux && set.data.some((point) => Number.isFinite(point?.y ?? point)))) found.blank.push("nothing in " + canvas.ariaLabel);
  }
  for (const image of document.querySelectorAll("img")) image.naturalWidth > 0 ? ++found.images : found.faults.push("no picture: " + image.alt);
  const box = (one) => one.getBoundingClientRect();
  const cards = [...document.querySelectorAll(".card, .scroll, pre, h2, .tools")];
  for (const [i, a] of cards.entries()) for (const b of cards.slice(i + 1)) {
    const p = box(a), q = box(b);
    if (p.right > q.left + 1 && q.right > p.left + 1 && p.bottom > q.top + 1 && q.bottom > p.top + 1) found.faults.push("overlap: " + a.textContent.slice(0, 40) + " / " + b.textContent.slice(0, 40));
  }
  for (const one of document.querySelectorAll("h1, h2, h3, .note, .chip, .card canvas, img, label, nav a, button"))
    if (box(one).width > 0 && (box(one).right > innerWidth + 1 || box(one).left < -1)) found.faults.push("cut: " + one.tagName + " " + one.textContent.slice(0, 40));
  for (const section of document.querySelectorAll("section")) if (section.children.length < 2 || box(section).height < 60) found.faults.push("empty: " + section.id);
  for (const place of document.querySelectorAll(".charts")) if (!place.children.length) found.faults.push("no charts: " + place.dataset.charts);
  // Every control once.
  for (const control of document.querySelectorAll(".card input, .chip, button.theme")) { control.click(); if (!control.matches("button.theme")) control.click(); }
  const slider = document.getElementById("smoothing");
  if (slider) { slider.value = 0.9; slider.dispatchEvent(new Event("input")); }
  const axis = document.getElementById("axis");
  if (axis) { axis.value = "epoch"; axis.dispatchEvent(new Event("change")); }
  dispatchEvent(new Event("beforeprint")); dispatchEvent(new Event("afterprint"));
  document.body.append(Object.assign(document.createElement("pre"), {id: "found", textContent: JSON.stringify(found)}));
  if (parent !== window) parent.postMessage(document.getElementById("found").textContent, "*");
});</script>"""
FRAME = """<!DOCTYPE html><body><iframe src="%s" style="width: %dpx; height: 3000px; border: 0"></iframe>
<script>addEventListener("message", (event) => document.body.append(Object.assign(document.createElement("pre"), {id: "found", textContent: event.data})));</script>"""

browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if browser is None:
    skipped.append("there is no Chromium (apt-get install chromium)")
else:
    for name, html in (("one", one), ("three", three), ("long", many), ("short", (work / "short.html").read_text()), ("pictures", alone)):
        (work / f"{name}.look.html").write_text(html.replace("</body>", LOOK + "</body>"))
        for width in (400, 700, 1300, 2000) if name in ("one", "three") else (900,):
            (work / "frame.html").write_text(FRAME % (f"{name}.look.html", width))
            seen = subprocess.run(
                [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={work / 'profile'}", "--enable-logging=stderr",
                 f"--window-size={width + 40},3100", "--virtual-time-budget=10000", "--dump-dom", (work / "frame.html").as_uri()],
                capture_output=True, text=True, timeout=300)
            messages = [line for line in seen.stderr.split("\n") if "CONSOLE" in line]
            told = re.search(r'<pre id="found">(.*?)</pre>', seen.stdout, re.S)
            if messages or not told:
                failures.append(f"{name}, {width} pixels: {messages or seen.stderr[-2000:]}")
                continue
            found = json.loads(told[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
            expect(f"{name}, {width} pixels: is as wide as the window: {found['wide']} of {found['width']}", found["wide"] <= found["width"] == width)
            expect(f"{name}, {width} pixels: all canvases are drawn: {found['blank']}", not found["blank"])
            expect(f"{name}, {width} pixels: {found['faults']}", not found["faults"])
            expect(f"{name}: {found['canvases']} canvases", found["canvases"] == html.count('"section":"'))
            expect(f"{name}: the title is {found['title']}", "broken" not in found["title"])

if failures:
    sys.exit(f"{len(failures)} failures:\n" + "\n".join(failures))
for reason in skipped:
    print("skipped:", reason)
print("the pages are as they should be")
sys.exit(77 if skipped else 0)
