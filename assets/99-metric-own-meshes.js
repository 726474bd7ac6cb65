/* Metric learning: a data set rendered from the user's own meshes. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const m = loupe.metric;
    const SIDE = 128, SHOWN = 12;

    function form() {
        const {el} = loupe.dom, host = m.at("made-form");
        if (host.firstChild) return;
        const knobs = m.now.told.properties.filter((one) => one.name !== "car_model");
        const boxes = knobs.map((one) => el("label", {class: "metric-check"}, el("input", {type: "checkbox", name: "varied", value: one.name, checked: true}), one.full));
        const number = (name, label, value, min, max) => el("label", {class: "metric-file"}, label, el("input", {type: "number", name, value, min, max, required: true, class: "lp-field metric-number"}));
        const made = el("form", {class: "metric-form", onsubmit: (event) => { event.preventDefault(); send(made); }},
            el("label", {class: "metric-file"}, "Meshes (.obj, .glb; up to 12)", el("input", {type: "file", name: "mesh", accept: ".obj,.glb", multiple: true, required: true, class: "lp-field"})),
            el("label", {class: "metric-file"}, "Materials that take the colour (part of the name; empty: all)", el("input", {name: "paint", class: "lp-field", maxlength: 80})),
            number("n", "Images", 200, 10, 2000), number("seed", "Seed", 0, 0, 2147483647), el("button", {class: "plot-card-button"}, "Render"), el("fieldset", {class: "metric-checks"}, el("legend", {}, "Vary"), ...boxes));
        host.replaceChildren(made);
    }

    async function send(made) {
        const body = new FormData(), varied = [...made.querySelectorAll('[name="varied"]:checked')].map((box) => box.value);
        [...made.elements.mesh.files].forEach((file) => body.append("mesh", file));
        body.append("paint", made.elements.paint.value);
        try {
            if (!varied.length) throw m.failure("No property is to vary.", "Tick one at least.", 400);
            const held = await m.ask("/_metric/meshes", body);
            m.set("made", [held.key, varied.join(","), made.elements.n.value, made.elements.seed.value].join(":"));
        } catch (error) {
            loupe.notify({kind: "error", title: "These meshes cannot be used", message: error.message, hint: error.hint});
        }
    }

    async function draw({made, loss, distance}) {
        form();
        if (!made) {
            m.say("made", "ready");
            m.at("made-view").replaceChildren();
            return;
        }
        const isNew = m.turn("made"), {el} = loupe.dom, [meshes, varied, n, seed] = made.split(":");
        const settings = {meshes, varied: varied.split(","), n: Number(n), seed: Number(seed), loss, distance};
        const held = await m.run("made", "generate", settings);
        const told = await m.ask("/_metric/start/generate", settings);
        if (!isNew()) return;
        const size = SIDE * SIDE * 3, shown = Array.from({length: Math.min(SHOWN, settings.n)}, (_, k) => m.rendered(held.images.data.subarray(k * size, (k + 1) * size), SIDE));
        const row = (name, k) => el("tr", {}, el("th", {scope: "row"}, m.property(name)?.full || name), el("td", {}, m.number(held.nr_precision.data[k])), el("td", {}, m.number(held.r_precision.data[k], 3)), el("td", {}, m.number(held.chance.data[k], 3)));
        m.at("made-view").replaceChildren(el("div", {class: "metric-tiles metric-renders"}, ...shown),
            el("p", {}, el("a", {href: `/_metric/generated/${told.result}.zip`, download: "loupe-renders.zip", class: "plot-card-button"}, "Download images, properties, embeddings")),
            el("table", {class: "metric-table"}, el("thead", {}, el("tr", {}, ...["Property", "NR-Prec", "R-Prec", "chance"].map((text) => el("th", {scope: "col"}, text)))), el("tbody", {}, ...held.measured.data.map(row))));
        m.honest("made", [`${settings.n} renders of your meshes`, `seed ${seed}`, m.loss(loss).title, m.fold(loss), "measured here"]);
        m.say("made", "ready");
    }

    loupe.metricPage.part("made", ({view, made, loss, distance}) => (view === "own" ? [made, loss, m.isOwn(loss) ? distance : ""].join() : null), draw);
})(window.loupe);
