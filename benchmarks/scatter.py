"""Very many points in one headless page: our scatter plot against plotly's scattergl.

Both draw the same arrays in the same browser without a GPU, so plotly's WebGL runs on the
processor. A frame of a drag is what follows the hand: ours shifts the last picture and draws the
view whole when the hand rests, which has a row of its own. Selecting is the time of a lasso until
the points it encloses are marked; heap is what the page's JavaScript holds afterwards.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.table import Row

SIZES: Final = (100_000, 1_000_000)
ALONE: Final = 20_000_000
PX: Final = 600
ROUNDS: Final = 16
SCRIPTS: Final = (
    "02-dom.js", "15-scatter-0-cells.js", "15-scatter-0-draw.js", "15-scatter-1-view.js",
)  # fmt: skip
PATIENCE_MS: Final = 540_000
MEASURE: Final = """
async ([n, which, px, rounds]) => {
    const x = new Float32Array(n), y = new Float32Array(n);
    let seed = 1;
    const draw = () => {
        seed = (seed * 1664525 + 1013904223) >>> 0;
        return (seed + 1) / 4294967297;
    };
    for (let i = 0; i < n; i += 1) {
        const r = Math.sqrt(-2 * Math.log(draw())), a = 6.2831853 * draw();
        x[i] = r * Math.cos(a);
        y[i] = r * Math.sin(a);
    }
    const host = document.createElement("div");
    host.style.cssText = `width:${px}px;height:${px}px`;
    document.body.replaceChildren(host);
    const best = async (work) => {
        let least = Infinity;
        for (let round = 0; round < rounds; round += 1) {
            const start = performance.now();
            await work(round);
            least = Math.min(least, performance.now() - start);
        }
        return least;
    };
    const corners = [[200, 200], [400, 200], [400, 400], [200, 400]];
    const gc_ = () => { if (window.gc) { window.gc(); window.gc(); } };  // once leaves buffers
    gc_();
    const before = performance.memory.usedJSHeapSize;
    let pan, whole, select, count, first = performance.now();
    if (which === "ours") {
        const plot = loupe.scatter.create(host, {renderer: "splat"});
        plot.setPoints({x, y});
        first = performance.now() - first;
        const seen = () => plot.canvas.getContext("2d").getImageData(0, 0, 1, 1);
        pan = await best((round) => { plot.pan(round % 2 ? 60 : -60, 0); seen(); });
        whole = await best((round) => { plot.pan(round % 2 ? 60 : -60, 0); plot.now(); seen(); });
        plot.reset();
        plot.now();
        select = await best(() => {
            const found = plot.inside(corners);
            count = found.count;
            plot.choose(found);
            seen();
        });
    } else {
        const margin = {l: 0, r: 0, t: 0, b: 0}, axis = {range: [-5, 5]};
        const layout = {width: px, height: px, margin, xaxis: axis, yaxis: {...axis}};
        const trace = {type: "scattergl", mode: "markers", x, y, marker: {size: 1}};
        await Plotly.newPlot(host, [trace], {...layout, dragmode: "lasso", showlegend: false});
        first = performance.now() - first;
        const ranges = [[-6, 4], [-4, 6]];
        const gl = host.querySelector(".gl-canvas-context").getContext("webgl");
        const seen = () => gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
        const move = (round) => Plotly.relayout(host, {"xaxis.range": ranges[round % 2]});
        pan = whole = await best((round) => move(round).then(seen));
        await Plotly.relayout(host, {"xaxis.range": [-5, 5]});
        select = await best(async () => {
            const chosen = [], half = 5 / 3;
            for (let i = 0; i < n; i += 1) {
                if (Math.abs(x[i]) < half && Math.abs(y[i]) < half) chosen.push(i);
            }
            count = chosen.length;
            await Plotly.restyle(host, {selectedpoints: [chosen]}, [0]);
        });
    }
    gc_();
    return {first, pan, whole, select, count, heap: performance.memory.usedJSHeapSize - before};
}
"""


def rows() -> list[Row]:
    """All rows."""
    found: list[Row] = []
    for n in SIZES:
        ours, other = (measured(n, which) for which in ("ours", "plotly"))
        size = f"{n:,} points"
        for what, name, goal in (
            ("pan", "frame of a drag", 50.0 if n > 500_000 else 1.0),
            ("whole", "moved view drawn whole", 1.0),
            ("select", "lasso to marks", 100.0 if n > 500_000 else 1.0),
            ("heap", "heap of the page", 10.0 if n > 500_000 else 1.0),
        ):
            found.append(_row(f"scatter: {name}, {size}", ours, other, what, goal))
    alone = measured(ALONE, "ours")
    found.append(
        Row(
            f"scatter: {ALONE:,} points drawn",
            f"{alone['first'] / 1e3:.1f} s, pan {alone['pan']:.0f} ms",
            "–",
            float("nan"),
            "finishes",
            f"{alone['count']:,} in the lasso",
            alone["count"] > 0,
        )
    )
    return found


def _row(name: str, ours: dict[str, Any], other: dict[str, Any], what: str, goal: float) -> Row:
    ratio = other[what] / max(ours[what], 1e-3)
    unit, scale = ("MB", 1e6) if what == "heap" else ("ms", 1.0)
    companion = f"{ours['count']:,} and {other['count']:,} in the lasso"
    return Row(
        name,
        f"{ours[what] / scale:.1f} {unit}",
        f"{other[what] / scale:.1f} {unit}",
        ratio,
        f"≥ {goal:g}",
        companion,
        ratio >= goal,
    )


def measured(n: int, which: str) -> dict[str, Any]:
    """Milliseconds and bytes of one plot in a fresh browser."""
    from playwright.sync_api import sync_playwright

    from tests.browser.harness import CHROMIUM, FLAGS

    flags = [
        *FLAGS,
        "--js-flags=--expose-gc --max-old-space-size=8000",
        "--enable-precise-memory-info",
    ]
    with sync_playwright() as held, tempfile.TemporaryDirectory() as folder:
        browser = held.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": PX, "height": PX})
        page.set_default_timeout(PATIENCE_MS)
        path = Path(folder) / "page.html"
        path.write_text(_html(), encoding="utf-8")
        page.goto(path.as_uri())
        found: dict[str, Any] = page.evaluate(MEASURE, [n, which, PX, ROUNDS])
        browser.close()
    return found


def _html() -> str:
    """A page with plotly.js and our scripts, nothing else."""
    import plotly

    assets = Path(__file__).resolve().parents[1] / "assets"
    parts = [(Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text("utf-8")]
    parts += [(assets / name).read_text("utf-8") for name in SCRIPTS]
    held = [part.replace("</script", "<\\/script") for part in parts]
    body = "".join(f"<script>{part}</script>" for part in held)
    return f"<!doctype html><meta charset=utf-8><body style='margin:0'></body>{body}"
