/* A browser without WebGL (blocked, remote, headless) would show plotly's "WebGL is not supported" where points should be.
   There plotly's GL traces are drawn as SVG instead: the same points, slower. Nothing is changed where WebGL works. */
(function () {
  const PLAIN = { scattergl: "scatter", scatterpolargl: "scatterpolar" };

  function hasWebGL() {
    const gl = document.createElement("canvas").getContext("webgl");
    gl?.getExtension("WEBGL_lose_context")?.loseContext(); // browsers allow few of them
    return Boolean(gl);
  }

  const traces = (data) => data.map((one) => (PLAIN[one.type] ? { ...one, type: PLAIN[one.type] } : one));
  const figure = (given) => (Array.isArray(given) ? traces(given) : given?.data ? { ...given, data: traces(given.data) } : given);

  /** Dash fetches plotly when a page first needs it and sets `window.Plotly`. */
  function watch() {
    let held;
    Object.defineProperty(window, "Plotly", {
      configurable: true,
      get: () => held,
      set(made) {
        held = { ...made };
        ["newPlot", "react", "addTraces"].forEach((name) => {
          held[name] = (graph, given, ...rest) => made[name](graph, figure(given), ...rest);
        });
      },
    });
  }

  if (!hasWebGL()) watch();
})();
