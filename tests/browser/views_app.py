"""A page with nothing but the views of the NERO page, and answers such as a server would give them.

``python -m tests.browser.views_app FOLDER`` takes pictures of all views, to be looked at.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import flask
import numpy as np
import waitress
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

from backend.nero import boxes, orbits
from backend.nero.orbits import Orbit
from backend.settings import PROJECT
from components import index
from components.security import CSP
from tests.browser.harness import CHROMIUM, FLAGS

ASSETS: Final = PROJECT / "assets"
MODELS: Final = [
    {"title": "Centred only", "colour": "#2f6fdb", "index": 0},
    {"title": "Jittered by ±64 px", "colour": "#c2218f", "index": 1},
]
CLASSES: Final = ["car", "bottle", "cup", "chair", "book"]
TRUTH: Final = np.array([[40, 36, 88, 92, 1]], np.float32)  # x0, y0, x1, y1, class
SIDE_PX: Final = 256

CONVERT: Final = """(spec) => {
    const TYPES = {float32: Float32Array, int32: Int32Array};
    const array = ({dtype, shape, data}) => ({shape, data: dtype === "str" ? data
        : TYPES[dtype].from(data.map((v) => (v === null ? NaN : v)))});
    const image = ({width, height, grey}) => {
        const data = new Uint8ClampedArray(width * height * 4).fill(255);
        const rgb = (v) => (Array.isArray(v) ? v : [v, v, v]);
        grey.forEach((v, i) => data.set(rgb(v), 4 * i));
        return new ImageData(data, width, height);
    };
    const sources = {scene: (s) => image(s), frames: (s) => s.frames.map(image),
        cloud: (s) => ({points: Float32Array.from(s.points)}), text: (s) => s};
    const arrays = Object.fromEntries(Object.entries(spec.arrays).map(([k, v]) => [k, array(v)]));
    window.asked = {moved: [], chosen: []};
    window.context = {moveTo: (e) => asked.moved.push(e), chooseElement: (e) => {
        asked.chosen.push(e);
        window.show({element: e});
    }};
    window.state = {element: spec.orbit.identity, mode: "truth", orbit: spec.orbit,
        classes: spec.classes, models: spec.models, range: null,
        item: {row: 0, name: "item 0", arrays},
        source: spec.source && sources[spec.source.kind](spec.source)};
    window.show = (change) => { Object.assign(state, change); view.show(state); };
    window.view = loupe[spec.side][spec.view];
    view.mount(document.getElementById("host"), context);
    window.show({});
}"""
"""Turns the JSON of :func:`answers` into a state and shows it."""


def page() -> str:
    """The shell of the real page, with the real scripts, and a host of a card's body."""
    scripts = "".join(f'<script src="/assets/{p.name}"></script>' for p in wanted("js"))
    styles = "".join(f'<link rel="stylesheet" href="/assets/{p.name}">' for p in wanted("css"))
    body = (
        '<main id="main" class="lp-page"><section class="plot-card" id="card" data-state="ready">'
        '<div class="plot-card-body" id="body"><div class="plot-card-content" id="host"></div>'
        "</div></section></main>"
    )
    filled = index.page().replace("{%css%}", styles).replace("{%app_entry%}", body)
    for name, text in {"scripts": scripts, "metas": VIEWPORT, "title": "Views"}.items():
        filled = filled.replace(f"{{%{name}%}}", text)
    return filled.replace("{%config%}", "").replace("{%renderer%}", "")


VIEWPORT: Final = '<meta name="viewport" content="width=device-width, initial-scale=1">'


def wanted(suffix: str) -> list[Path]:
    """Assets that the views need, in the order in which the app loads them."""
    needed = ("00-", "01-", "02-", "10-shell", "11-pages", "30-card.css", "50-nero.css", "57-")
    return [p for p in sorted(ASSETS.glob(f"*.{suffix}")) if p.name.startswith(needed)]


# --- what a server would answer ---------------------------------------------------------------


def orbit_spec(orbit: Orbit) -> dict[str, Any]:
    """An orbit as the page's spec has it."""
    return {
        "layout": orbit.layout,
        "size": orbit.size,
        "identity": orbit.identity_index,
        "labels": list(orbit.labels),
        "positions": orbit.positions.tolist(),
        "axes": list(orbit.axes),
    }


def packed(values: NDArray[Any]) -> dict[str, Any]:
    """An array for :data:`CONVERT`; NaN becomes null."""
    if values.dtype.kind in "US":
        return {"dtype": "str", "shape": list(values.shape), "data": values.tolist()}
    flat = [None if np.isnan(v) else float(v) for v in values.ravel()]
    return {"dtype": str(values.dtype), "shape": list(values.shape), "data": flat}


def answer(view: str, orbit: Orbit, source: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    side = "neroDetails" if view in ("boxes", "arrows") else "neroInputs"
    return {
        "view": view,
        "side": side,
        "orbit": orbit_spec(orbit),
        "models": MODELS,
        "classes": CLASSES,
        "source": source,
        "arrays": {name: packed(values) for name, values in arrays.items()},
    }


def scene() -> NDArray[np.uint8]:
    """A bottle of sorts on a table of sorts, ``(256, 256, 3)``."""
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    rng = np.random.default_rng(5)
    wall = np.stack([150 + 40 * np.sin(x / 31) + y / 8, 140 + 20 * np.cos(y / 23), 120 + x / 5], -1)
    wall[150:] = wall[150:] * 0.55 + [40, 22, 8]
    for _ in range(9):
        cx, cy, r = rng.integers(20, 236), rng.integers(20, 236), rng.integers(6, 26)
        wall[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = rng.integers(40, 220, 3)
    left, top = 64 + 40, 64 + 36
    body = (abs(x - left - 24) < 22) & (y > top + 20) & (y < top + 56)
    neck = (abs(x - left - 24) < 8) & (y >= top) & (y <= top + 20)
    wall[body | neck] = [46, 110, 70]
    wall[(abs(x - left - 24) < 22) & (y > top + 30) & (y < top + 46)] = [240, 236, 214]
    return np.clip(wall + rng.normal(0, 4, wall.shape), 0, 255).astype(np.uint8)


def detections(orbit: Orbit) -> dict[str, NDArray[Any]]:
    """Two detectors of known failings; the first finds nothing where the object is far away."""
    e, rng = orbit.size, np.random.default_rng(1)
    shift = orbit.positions.astype(np.float32)
    far = np.hypot(*shift.T)
    there = TRUTH[0, :4] + np.concatenate([shift, shift], 1)
    arrays: dict[str, NDArray[Any]] = {"truth": TRUTH}
    for i, (wobble, reach) in enumerate(((0.16, 48.0), (0.06, 400.0))):
        found = np.full((e, 10, 6), np.nan, np.float32)
        for k in range(4):
            off = rng.normal(0, 2 + wobble * far[:, None] * (k + 1), (e, 4))
            found[:, k, :4] = np.clip(there + off, 0, 128)
            found[:, k, 4] = np.clip(0.93 - 0.24 * k - far / (180 if i else 90), 0.02, 1)
            found[:, k, 5] = 1 if k < 2 else 2
        found[far > reach] = np.nan
        arrays[f"boxes_{i}"] = found
        arrays[f"consensus_{i}"] = boxes.consensus(found[None], shift)[0][0]
    return arrays


def coloured(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    height, width = pixels.shape[:2]
    flat = pixels.reshape(height * width, -1)
    return {"width": width, "height": height, "grey": flat.squeeze().tolist()}


def flow(size: int) -> NDArray[np.float32]:
    """A vortex in a stream, ``(2, size, size)`` px, u right and v down."""
    y, x = np.mgrid[0:size, 0:size] / (size - 1.0) - 0.5
    r2 = (x - 0.1) ** 2 + (y + 0.08) ** 2
    swirl = 14 * np.exp(-r2 / 0.03)
    u, v = 1.6 - swirl * (y + 0.08) + 0.5 * np.sin(9 * y), swirl * (x - 0.1) + 0.3 * np.cos(7 * x)
    return np.stack([u, v]).astype(np.float32)


def turned_field(field: NDArray[np.float32], element: int) -> NDArray[np.float32]:
    """φ̃ by 2 x 2 matrices, written apart from the browser's and the backend's code."""
    flip, quarters = element % 2, ((element + 1) // 2 if element % 2 else element // 2) % 4
    out = field
    if flip:
        out = out[:, ::-1] * np.array([1, -1], np.float32)[:, None, None]
    for _ in range(quarters):  # counter-clockwise on a screen whose rows go down
        out = np.rot90(out, 1, (-2, -1))
        out = np.stack([out[1], -out[0]])
    return np.ascontiguousarray(-out if element >= 8 else out)


def fields(orbit: Orbit) -> dict[str, NDArray[Any]]:
    """A method that turns with its input and one that does not like streams from the right."""
    size, rng = 32, np.random.default_rng(2)
    truth = np.stack([turned_field(flow(size), g) for g in range(orbit.size)])
    arrays: dict[str, NDArray[Any]] = {"truth": truth}
    for i, (noise, bias) in enumerate(((0.12, 0.85), (0.1, 0.0))):
        field = truth + rng.normal(0, noise, truth.shape).astype(np.float32)
        field[:, 0] -= bias * np.clip(-truth[:, 0], 0, None)
        fine = np.repeat(np.repeat(np.hypot(*np.moveaxis(field - truth, 1, 0)), 2, 1), 2, 2)
        back = [turned_field(field[g], int(orbit.inverse(g))) for g in range(orbit.size)]
        arrays |= {f"field_{i}": field, f"error_{i}": fine, f"consensus_{i}": np.mean(back, 0)}
    return arrays


def particles(size: int = 128) -> list[NDArray[np.uint8]]:
    """Two frames of particles that the flow carries by half its vectors each way."""
    rng, field = np.random.default_rng(3), flow(size)
    at = rng.uniform(0, size, (420, 2))
    column, row = at.astype(int).clip(0, size - 1).T
    step = field[:, row, column].T
    y, x = np.mgrid[0:size, 0:size]
    frames = []
    for side in (-0.5, 0.5):
        image = np.zeros((size, size))
        for (px, py), (u, v) in zip(at, step, strict=True):
            image += 210 * np.exp(-((x - px - side * u) ** 2 + (y - py - side * v) ** 2) / 1.6)
        frames.append(np.clip(image, 0, 255).astype(np.uint8))
    return frames


def chair(n: int = 2048) -> NDArray[np.float32]:
    """Points on the surfaces of a chair, ``(n, 3)`` in the unit ball, z up."""
    rng, parts = np.random.default_rng(4), []
    slabs = [((0, 0, 0), (1, 1, 0.08), 0.36), ((0, -0.46, 0.55), (1, 0.08, 1.05), 0.36)]
    slabs += [((x, y, -0.5), (0.1, 0.1, 1.0), 0.07) for x in (-0.44, 0.44) for y in (-0.44, 0.44)]
    for centre, size, share in slabs:
        points = rng.uniform(-0.5, 0.5, (int(n * share) + 1, 3))
        face = rng.integers(0, 3, len(points))
        points[np.arange(len(points)), face] = np.sign(points[np.arange(len(points)), face]) * 0.5
        parts.append(points * size + centre)
    cloud = np.concatenate(parts)[:n]
    cloud -= cloud.mean(0)
    return (cloud / np.linalg.norm(cloud, axis=1).max()).astype(np.float32)


SENTENCES: Final = [
    "A brown dog runs over the wet sand of an empty beach.",
    "a brown dog runs over the wet sand of an empty beach.",
    "A brown hound runs over the damp sand of an empty shore.",
    "A brown dog over runs the wet sand of an empty beach.",
]


class Sentences:
    """A line of four texts: as written, lower case, synonyms, another order."""

    layout, size, identity_index, axes = "line", 4, 0, ("change",)
    positions = np.arange(4.0)[:, None]
    labels = ("as written", "lower case", "synonyms", "two words change places")


def answers(view: str) -> Any:
    """What the page would hand over for one view, as JSON."""
    if view in ("crop", "boxes"):
        orbit: Any = orbits.translations(64, 8)
        return answer(view, orbit, {"kind": "scene", **coloured(scene())}, detections(orbit))
    if view in ("frames", "arrows"):
        orbit = orbits.square_symmetries()
        frames = {"kind": "frames", "frames": [coloured(f) for f in particles()]}
        return answer(view, orbit, frames, fields(orbit) if view == "arrows" else {})
    if view == "cloud":
        orbit = orbits.axis_angle_disc()
        return answer(view, orbit, {"kind": "cloud", "points": chair().ravel().tolist()}, {})
    return answer(view, Sentences(), {"kind": "text", "texts": SENTENCES}, {})


@contextmanager
def running_views() -> Iterator[str]:
    """Address of the page; it ends with the process."""
    app = flask.Flask("views", static_folder=str(ASSETS), static_url_path="/assets")
    app.add_url_rule("/", "page", page)
    app.add_url_rule("/answers/<view>", "answers", lambda view: flask.jsonify(answers(view)))

    @app.after_request
    def protect(response: flask.Response) -> flask.Response:
        response.headers["Content-Security-Policy"] = CSP.format(scripts="")
        return response

    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4)
    threading.Thread(target=server.run, daemon=True).start()
    yield f"http://127.0.0.1:{server.effective_port}"


def open_view(page: Page, url: str, view: str, size: tuple[int, int] | None = None) -> None:
    """Show a view in a card of a size in px, the view's own height and 640 px wide unless given."""
    if not page.url.startswith(url):
        page.goto(url)
    page.evaluate(f"fetch('/answers/{view}').then((r) => r.json()).then({CONVERT})")
    width, height = size or (
        640,
        page.evaluate("innerWidth < 600 ? view.narrow_px : view.height_px"),
    )
    page.evaluate(
        """([width, height]) => {
        Object.assign(document.getElementById('card').style,
            {boxSizing: 'border-box', width: `min(${width}px, 100%)`});
        document.getElementById('body').style.setProperty('min-height', `${height}px`); }""",
        [width, height],
    )
    page.evaluate("document.fonts.ready.then(() => new Promise(requestAnimationFrame))")


def main(folder: Path) -> None:
    shown = {"crop": 24, "boxes": 100, "frames": 3, "arrows": 4, "cloud": 200, "text": 2}
    with running_views() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for scheme in ("light", "dark"):
            for width, ratio in ((700, 1), (390, 2)):
                viewport = {"width": width, "height": 600}
                tab = browser.new_page(
                    viewport=viewport, color_scheme=scheme, device_scale_factor=ratio
                )
                for view, element in shown.items():
                    open_view(tab, url, view)
                    tab.evaluate(f"show({{element: {element}}})")
                    tab.wait_for_timeout(200)
                    tab.locator("#card").screenshot(path=folder / f"{view}-{width}-{scheme}.png")
                tab.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
