"""A page of orbit plots in every layout, on made-up values: what the browser tests drive.

``python -m tests.browser.layouts_page [port]`` serves it for a look: ``/?only=discs`` narrows it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import flask
import numpy as np
import orjson
import plotly
from werkzeug.serving import make_server

from backend.nero import orbits
from backend.nero.orbits.line import Line
from backend.nero.tasks.base import Metric
from backend.settings import PROJECT
from components import index
from components.figures import orbit_layouts as layouts

SCRIPTS: Final = (
    "00-theme.js",
    "53-nero-dial.js",
    "57-nero-0-canvas.js",
    "57-nero-layouts.js",
    "57-nero-pointer.js",
    "52-nero-layouts-cells.js",
    "52-nero-layouts-line.js",
    "52-nero-layouts-svg.js",
    "52-nero-layouts.js",
)
STYLES: Final = (
    "00-tokens.css",
    "10-shell.css",
    "30-card.css",
    "50-nero.css",
    "52-nero-layouts.css",
)
IOU: Final = Metric("iou", "IOU", 0, 1, True)
ERROR: Final = Metric("rmse", "RMSE", 0, None, False, "px")
SURE: Final = Metric("confidence", "Confidence", 0, 1, True)
NAMES: Final = ("Jitter 0 %", "Jitter 100 %", "CenterNet (COCO)", "Jitter 33 %", "Fifth", "Sixth")


class Wordings(Line):
    """Named variants of a sentence; a subclass that says so."""

    @property
    def domain(self) -> Any:
        return "text"

    @property
    def labels(self) -> tuple[str, ...]:
        return (
            *("as written", "lower case", "UPPER CASE", "Title Case", "reversed order"),
            *(f"swap words {i} and {i + 1}" for i in range(1, 6)),
            *("synonym: quick", "synonym: jump", "synonym: lazy"),
        )


SCALE: Final = Line(
    "scale-9", "scale", "scale (×)", "×", tuple(float(2 ** (k / 4)) for k in range(-4, 5)), 1.0
)
BRIGHT: Final = Line(
    "bright-41", "brightness", "brightness added", "", tuple(k / 20 for k in range(-20, 21)), 0.0
)
WORDS: Final = Wordings("word-13", "wording", "wording", "", tuple(map(float, range(13))), 0.0)


@dataclass(frozen=True)
class Plot:
    """One card: an orbit, its metric, each model's made-up numbers."""

    title: str
    orbit: Any
    metric: Metric
    values: list[np.ndarray]
    maps: list[np.ndarray]
    marked: list[np.ndarray]
    kind: str = "individual"
    averaged: bool = False


def shifts(n: int, metric: Metric = IOU, step: int = 4) -> Plot:
    """A peak that widens from model to model; no answer in one corner, a hole in another."""
    orbit = orbits.translations(64, step)
    x, y = orbit.positions.T
    values, marked = [], []
    for k in range(n):
        width = (14, 60, 34, 26, 45, 20)[k]
        ripple = 0.06 * np.sin(x / 9 + k) * np.cos(y / 7)
        peak = 0.9 * np.exp(-((x - 4 * k) ** 2 + y**2) / (2 * width**2)) + ripple
        none = (x < -40 + 4 * k) & (y > 36) & (k != 1)
        peak = np.clip(np.where(none, 0, peak), 0, 1)
        peak[(x > 48) & (y < -52) & (k == 1)] = np.nan
        values.append(peak if metric.higher_is_better else 3 - 3 * peak)
        marked.append(none)
    return Plot(f"Shifts · {n}", orbit, metric, values, [], marked)


def flows(n: int, averaged: bool, time_reversal: bool = True) -> Plot:
    orbit = orbits.square_symmetries(time_reversal)
    row, column = np.mgrid[-1:1:32j, -1:1:32j]
    swirl = np.exp(-3 * ((row - 0.2) ** 2 + (column + 0.3) ** 2)) + 0.2 * np.abs(row)
    maps = []
    for k in range(n):
        rng = np.random.default_rng(k)
        gains = 0.5 + (1.2, 0.15, 0.6)[k % 3] * rng.random(orbit.size)
        maps.append(np.stack([(gain * np.rot90(swirl, i)) for i, gain in enumerate(gains)]))
    values = [m.mean(axis=(1, 2)) for m in maps]
    title = f"Squares · {n} · {'averaged' if averaged else 'detailed'}"
    return Plot(title, orbit, ERROR, values, maps, [], averaged=averaged)


def turns(n: int, levels: tuple[int, int] = (24, 13)) -> Plot:
    """Functions of the rotation alone, so that equal rotations have equal values."""
    orbit = orbits.axis_angle_disc(*levels)
    matrices = orbit.matrices
    trace = (np.trace(matrices, axis1=1, axis2=2) - 1) / 2
    upright = matrices[:, 2, 2]
    made = (
        np.exp(-2.2 * (1 - trace)) * 0.5 + 0.5 * np.clip(upright, 0, 1) ** 3,
        0.86 + 0.09 * trace * upright,
        0.5 + 0.45 * upright,
    )
    return Plot(f"Discs · {n}", orbit, SURE, [made[k % 3] for k in range(n)], [], [])


def lines(orbit: Any, n: int, metric: Metric, title: str, kind: str = "individual") -> Plot:
    """A hump around the identity for each model."""
    place = np.arange(orbit.size) - orbit.identity_index
    values = [0.93 * np.exp(-((place / (6 + 14 * k)) ** 2)) - 0.02 * k for k in range(n)]
    wave = 0.12 * np.sin(np.arange(orbit.size) * 2.3)
    values = [np.clip(v + (wave if orbit.domain == "text" else 0), 0.02, 1) for v in values]
    return Plot(title, orbit, metric, values, [], [], kind)


PLOTS: Final[Mapping[str, Callable[[], Plot]]] = {
    "heatmap2": lambda: shifts(2),
    "heatmap1": lambda: shifts(1),
    "heatmap3": lambda: shifts(3),
    "heatmap6": lambda: shifts(6, step=8),
    "heatmaperr": lambda: shifts(2, ERROR, 8),
    "squares2": lambda: flows(2, averaged=True),
    "squares2d": lambda: flows(2, averaged=False),
    "squares1d": lambda: flows(1, averaged=False),
    "squares3": lambda: flows(3, averaged=False),
    "squares8": lambda: flows(1, averaged=True, time_reversal=False),
    "discs2": lambda: turns(2),
    "discs1": lambda: turns(1),
    "discs3": lambda: turns(3),
    "discs5": lambda: turns(5, (12, 7)),
    "line": lambda: lines(BRIGHT, 2, SURE, "Line · 2"),
    "linelog": lambda: lines(SCALE, 3, SURE, "Line, log · 3", "aggregate"),
    "circle": lambda: lines(orbits.rotations(24), 2, SURE, "Circle · 2"),
    "linetext": lambda: lines(WORDS, 2, SURE, "Wordings · 2"),
}


def told(plot: Plot) -> dict[str, Any]:
    """The plot as its page would have it: an empty figure, the orbit's spec, the models' arrays."""
    orbit, metric = plot.orbit, plot.metric
    curves = [layouts.ModelCurve(f"m{k}", NAMES[k], k) for k in range(len(plot.values))]
    figure = layouts.orbit_figure(orbit, curves, metric, kind=plot.kind, view="v")  # type: ignore[arg-type]
    figure.layout.template = None
    models = []
    for k, curve in enumerate(curves):
        model: dict[str, Any] = {"key": curve.key, "title": curve.title, "colour": curve.colour}
        model["values"] = plot.values[k].astype(float).tolist()
        model["marked"] = plot.marked[k].tolist() if plot.marked else None
        if plot.maps:
            h, w = plot.maps[k].shape[1:]
            model["maps"] = {"data": plot.maps[k].ravel().tolist(), "h": h, "w": w}
        if orbit.layout in ("line", "circle") and plot.kind == "individual":
            model["low"] = (plot.values[k] - 0.12).tolist()
            model["high"] = (plot.values[k] + 0.08).tolist()
        models.append(model)
    facts = {"layout": orbit.layout, "size": orbit.size, "identity": orbit.identity_index}
    facts |= {"labels": orbit.labels, "positions": orbit.positions.tolist(), "axes": orbit.axes}
    said = {"title": metric.title, "low": metric.low, "high": metric.high, "unit": metric.unit}
    said |= {"higher_is_better": metric.higher_is_better}
    drawn = figure.to_plotly_json()
    return {
        **{"title": plot.title, "figure": drawn, "orbit": facts, "models": models, "metric": said},
        **{"kind": plot.kind, "averaged": plot.averaged},
    }


HEAD: Final = """<style>
.page { display: grid; gap: 12px; padding: 12px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 380px), 1fr)); }
.plot-card-body { position: relative; height: 340px; } .frame { position: absolute; inset: 0; }
.frame > div { width: 100%; height: 100%; }
.plot-card h2 { margin: 0 0 4px; font-size: 14px; }
</style>"""

SCRIPT: Final = Path(__file__).with_suffix(".js")


def page(names: list[str]) -> str:
    """The page of some plots as HTML; everything it loads is ours."""
    styles = "".join(f'<link rel="stylesheet" href="/assets/{name}">' for name in STYLES)
    scripts = "".join(f'<script src="/assets/{name}"></script>' for name in SCRIPTS)
    text = index.page().replace("{%metas%}", '<meta name="viewport" content="width=device-width">')
    text = text.replace("{%title%}", "Layouts").replace("{%css%}", styles + HEAD)
    text = text.replace("{%app_entry%}", '<main class="page"></main>')
    scripts = f'<script src="/plotly.js"></script>{scripts}<script src="/page.js"></script>'
    text = (
        text.replace("{%scripts%}", scripts).replace("{%config%}", "").replace("{%renderer%}", "")
    )
    listed = orjson.dumps(names).decode().replace('"', "&quot;")
    return text.replace("<body>", f'<body data-names="{listed}">')


def create() -> flask.Flask:
    """The server of the page, its plots and the assets."""
    server = flask.Flask(
        "layouts", static_folder=str(PROJECT / "assets"), static_url_path="/assets"
    )
    library = Path(plotly.__file__).parent / "package_data"

    @server.get("/")
    def show() -> str:
        only = [name for name in flask.request.args.get("only", "").split(",") if name]
        return page([n for n in PLOTS if not only or any(n.startswith(o) for o in only)])

    @server.get("/plot/<name>")
    def send_plot(name: str) -> flask.Response:
        body = orjson.dumps(told(PLOTS[name]()), option=orjson.OPT_SERIALIZE_NUMPY)
        return flask.Response(body, mimetype="application/json")

    @server.get("/page.js")
    def send_script() -> flask.Response:
        return flask.send_file(SCRIPT)

    @server.get("/plotly.js")
    def send_library() -> flask.Response:
        return flask.send_from_directory(library, "plotly.min.js")

    return server


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8062
    make_server("127.0.0.1", port, create(), threaded=True).serve_forever()


if __name__ == "__main__":
    main()
