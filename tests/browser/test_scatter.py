"""A scatter plot whose GPU is taken away and given back draws the same points again."""

from __future__ import annotations

from playwright.sync_api import Page

LOST_AND_BACK = """async () => {
  const host = document.createElement('div');
  host.style.cssText = 'position:fixed;left:0;top:0;width:200px;height:200px';
  document.body.append(host);
  const plot = loupe.scatter.create(host, {renderer: 'webgl', colours: ['#2f6fdb']});
  const n = 500, x = new Float32Array(n), y = new Float32Array(n);
  for (let i = 0; i < n; i += 1) { x[i] = Math.cos(i) * i; y[i] = Math.sin(i) * i; }
  plot.setPoints({x, y});
  const picture = () => {
    const copy = document.createElement('canvas');
    [copy.width, copy.height] = [plot.canvas.width, plot.canvas.height];
    const context = copy.getContext('2d');
    context.drawImage(plot.canvas, 0, 0);
    return context.getImageData(0, 0, copy.width, copy.height).data.join();
  };
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)));
  const told = (name) => new Promise((done) => plot.canvas.addEventListener(name, done));
  await frame();
  const before = picture();
  const gpu = plot.canvas.getContext('webgl').getExtension('WEBGL_lose_context');
  const lost = told('webglcontextlost'), back = told('webglcontextrestored');
  gpu.loseContext();
  await lost;
  plot.setPoints({x, y});  // drawing meanwhile is no error
  await frame();
  gpu.restoreContext();
  await back;
  await frame();
  const after = picture();
  plot.destroy();
  host.remove();
  return [plot.renderer, new Set(before.split(',')).size > 2, before === after];
}"""


def test_a_lost_gpu_that_comes_back_draws_the_same_points(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/jobs")
    page.wait_for_function("() => window.loupe && loupe.scatter")
    for part in ("GPU stall", "CONTEXT_LOST"):
        page.loupe_traffic.allow(part)  # type: ignore[attr-defined]
    assert page.evaluate(LOST_AND_BACK) == ["webgl", True, True]


LASSO = """() => {
  const host = document.createElement('div'), n = 70000, side = 300;
  host.style.cssText = `position:fixed;left:0;top:0;width:${side}px;height:${side}px`;
  document.body.append(host);
  const colours = ['#ff0000', '#00ff00', '#0000ff'];
  const plot = loupe.scatter.create(host, {renderer: 'splat', colours});
  const x = new Float32Array(n), y = new Float32Array(n), kinds = new Uint8Array(n);
  for (let i = 0; i < n; i += 1) {
    x[i] = Math.cos(i) * Math.sqrt(i);
    y[i] = Math.sin(i) * Math.sqrt(i);
    kinds[i] = i % 3;
  }
  plot.setPoints({x, y, kinds});
  plot.zoom(1.7);
  plot.now();
  const picture = () => plot.canvas.getContext('2d').getImageData(0, 0, side, side).data.join();
  const found = plot.inside([[0.4, 30], [200, 10], [250, 220], [120, 90]]);
  const rows = [];
  plot.choose(found);
  rows.push(picture());
  plot.choose({marked: found.marked, count: found.count});
  rows.push(picture());
  plot.choose(found);
  plot.pan(31, -17);
  plot.now();
  rows.push(picture());
  plot.choose({marked: found.marked, count: found.count});
  rows.push(picture());
  plot.destroy();
  host.remove();
  return [found.count > 1000, rows[0] === rows[1], rows[2] === rows[3], rows[0] === rows[2]];
}"""


def test_a_lasso_is_drawn_as_the_points_it_holds(page: Page, app_url: str) -> None:
    """Its pixels are taken from what was counted before; in another view the points are."""
    page.goto(f"{app_url}/jobs")
    page.wait_for_function("() => window.loupe && loupe.scatter")
    assert page.evaluate(LASSO) == [True, True, True, False]


NO_WEBGL = """() => {
  const plain = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return String(kind).includes('webgl') ? null : plain.call(this, kind, ...rest);
  };
}"""


def test_plots_have_their_points_in_a_browser_without_webgl(page: Page, app_url: str) -> None:
    page.add_init_script(f"({NO_WEBGL})()")
    page.goto(f"{app_url}/metric-learning")
    page.wait_for_selector("#metric-learning-map .scatterlayer .point", state="attached")
    assert page.get_by_text("WebGL is not supported").count() == 0
