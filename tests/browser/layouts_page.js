/* The page of tests/browser/layouts_page.py: fills and draws every plot as the NERO page would. */
(function () {
    "use strict";
    // NaN has no JSON: it travels as null, of which Float32Array would make 0.
    const floats = (list) => Float32Array.from(list, (value) => (value === null ? NaN : value));
    const plots = window.plots = {};

    function cardOf(name, title) {
        const [card, head, body, frame, gd] = ["section", "h2", "div", "div", "div"]
            .map((tag) => document.createElement(tag));
        Object.assign(card, {className: "plot-card", id: name});
        Object.assign(frame, {className: "frame nero-dial", tabIndex: 0});
        [body.className, gd.className, head.textContent] = ["plot-card-body", "nero-graph", title];
        frame.append(gd);
        body.append(frame);
        card.append(head, body);
        document.querySelector(".page").append(card);
        return {frame, gd};
    }

    async function show(name) {
        const spec = await (await fetch(`/plot/${name}`)).json(), {orbit, metric, averaged} = spec;
        const models = spec.models.map((model) => ({...model, values: floats(model.values),
            maps: model.maps && {...model.maps, data: floats(model.maps.data)}}));
        const {frame, gd} = cardOf(name, spec.title), layout = loupe.layouts.of(orbit);
        const fill = layout[spec.kind === "aggregate" ? "fillAggregate" : "fillIndividual"];
        const all = models.map((model) => (model.maps && !averaged ? model.maps.data : model.values));
        const options = {range: loupe.layouts.range(metric, all), metric, averaged, marked: "no detection"};
        const isCurve = ["line", "circle"].includes(orbit.layout);
        const rings = (element) => (isCurve ? models.map((m) => [m.colour, m.values[element]]) : []);
        const plot = plots[name] = {spec, orbit, models, options, gd, frame, moved: [], done: [], ms: 0,
            element: orbit.identity};
        plot.cursor = (element) => {
            plot.element = element;
            layout.cursor(gd, orbit, element, rings(element));
        };
        plot.draw = async () => {
            const started = performance.now(), figure = structuredClone(spec.figure);
            figure.layout.template = loupe.theme.template();
            fill(figure, orbit, models, options);
            await Plotly.react(gd, figure.data, figure.layout, {displayModeBar: false, responsive: true});
            plot.ms = performance.now() - started;
        };
        await plot.draw();
        const drawn = () => loupe.layouts.drawn(gd, orbit, plot.element, rings(plot.element));
        gd.on("plotly_afterplot", drawn);
        drawn();
        loupe.layouts.attach(frame, {orbit: () => orbit, done: (element) => plot.done.push(element),
            move(element) {
                plot.moved.push(element);
                plot.cursor(element);
            }});
    }

    (async () => {
        for (const name of JSON.parse(document.body.dataset.names)) await show(name);
        loupe.theme.onChange(() => Object.values(plots).forEach((plot) => plot.draw()));
        document.body.dataset.ready = "yes";
    })();
})();
