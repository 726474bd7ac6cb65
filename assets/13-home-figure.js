/* loupe.orbitFigure: the polar plot on Home as a small SVG; colours come from the tokens. */
window.loupe = window.loupe || {};

(function () {
  const NS = "http://www.w3.org/2000/svg";
  const WIDTH = 400;
  const HEIGHT = 300;
  const RADIUS = 112;
  const X = WIDTH / 2;
  const Y = HEIGHT / 2;

  function svg(tag, attributes, text) {
    const node = document.createElementNS(NS, tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    if (text) node.textContent = text;
    return node;
  }

  /** As on the NERO page: upright is at the right, angles grow counter-clockwise. */
  function point(index, count, value) {
    const angle = (index / count) * 2 * Math.PI;
    return [X + RADIUS * value * Math.cos(angle), Y - RADIUS * value * Math.sin(angle)];
  }

  function grid(root) {
    [0.5, 1].forEach((value) => {
      root.append(svg("circle", { cx: X, cy: Y, r: RADIUS * value, class: "lp-figure-grid" }));
      root.append(svg("text", { x: X + 4, y: Y - RADIUS * value + 13, class: "lp-figure-text" }, `${100 * value} %`));
    });
    for (let quarter = 0; quarter < 4; quarter += 1) {
      const [x, y] = point(quarter, 4, 1);
      root.append(svg("line", { x1: X, y1: Y, x2: x, y2: y, class: "lp-figure-grid" }));
      const [tx, ty] = point(quarter, 4, 1.15);
      root.append(svg("text", { x: tx, y: ty + 4, class: "lp-figure-text", "text-anchor": "middle" }, `${90 * quarter}°`));
    }
  }

  function curve(root, { values, colour, title }) {
    const path = values.map((value, i) => point(i, values.length, value).map((v) => v.toFixed(1)).join(" "));
    const stroke = `var(--lp-model-${colour})`;
    root.append(svg("path", { d: `M${path.join("L")}Z`, class: "lp-figure-line", style: `stroke:${stroke};fill:${stroke}` }));
    const y = 18 + 18 * colour;
    root.append(svg("rect", { x: 8, y: y - 8, width: 12, height: 3, rx: 1.5, style: `fill:${stroke}` }));
    root.append(svg("text", { x: 26, y: y - 3, class: "lp-figure-name" }, title));
  }

  /** Draw the figure into `place`; the note says what it is, or why it is empty. */
  window.loupe.orbitFigure = function (place, note, figure) {
    const names = figure.curves.map((line) => line.title).join(" and ");
    const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
      "aria-label": names ? `Accuracy of ${names} at each rotation` : "An empty polar plot" });
    grid(root);
    figure.curves.forEach((line) => curve(root, line));
    place.replaceChildren(root);
    note.textContent = figure.curves.length
      ? `Accuracy at ${figure.curves[0].values.length} angles · ${figure.items} of ${figure.items} digits · measured here`
      : "The curves appear once NERO has computed them.";
  };
})();
