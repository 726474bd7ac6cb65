/* Zoom-In: what a look says: the answer beside other draws, the pieces, how few hold it, its cost. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, set, query, percent, short, honest, say} = loupe.zoom;
    const SHORT = {ZoomNet: "Zoom-In", ZoomNetRes: "Zoom-In", AtsNet: "One stage (ATS)", DownscaledCnn: "Plain CNN"};
    const MIDDLE = 0.9;
    const about = () => [now.told.model.title, now.told.model.fingerprint, now.image.title];
    const seedOf = () => `seed ${now.told.asked.seed + now.told.asked.draw}`;

    // ---- the answer

    function truthLine() {
        const {el} = loupe.dom, {image, look} = now;
        if (image.label === null) return el("span", {class: "lp-muted"}, "Nobody knows the truth here.");
        const isRight = image.classes[image.label] === look.name;
        return el("span", {class: isRight ? "zoom-ok" : "zoom-bad"}, `${isRight ? "✓" : "✗"} truth: ${image.classes[image.label]}`);
    }

    function answer() {
        const host = at("zoom-answer-view");
        if (!host || !now.look) return;
        const {el} = loupe.dom, {name, answer: p, label, tiles, n} = now.look;
        const first = el("p", {class: "zoom-big"}, el("b", {}, name), el("span", {}, percent(p[label], 1)), truthLine());
        const how = el("p", {class: "lp-muted"}, `${n} pieces in N′ = ${tiles.length} different tiles`,
            now.told.asked.region ? ", within your rectangle" : "");
        const focus = host.contains(document.activeElement) ? document.activeElement.getAttribute("data-draw") : null;
        host.replaceChildren(first, how, ...(now.draws ? spread(label, name) : []));
        if (focus !== null) host.querySelector(`[data-draw="${focus}"]`)?.focus({preventScroll: true});
        say("answer", now.draws ? "ready" : "loading", {keep: true, message: "Drawing again…"});
        honest("answer", [`${now.draws ? now.draws.answers.length : 1} draws`, ...about(), `seeds from ${now.told.asked.seed}`, "measured here"]);
    }

    /** One dot a draw on a line from 0 to 1; the bar is the middle of them. */
    function spread(label, name) {
        const {el} = loupe.dom, {answers, seeds, distinct} = now.draws, values = answers.map((row) => row[label]);
        const sorted = [...values].sort((a, b) => a - b), {quantile} = loupe.zoom;
        const low = quantile(sorted, (1 - MIDDLE) / 2), high = quantile(sorted, (1 + MIDDLE) / 2);
        const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
        const same = answers.filter((row) => loupe.zoom.best(row) === label).length;
        const stack = new Map(), shown = now.told.asked.seed + now.told.asked.draw;
        const dots = values.map((value, i) => {
            const cell = Math.round(value * 40), height = stack.get(cell) || 0;
            stack.set(cell, height + 1);
            return el("button", {type: "button", class: "zoom-dot", "data-draw": i, "aria-pressed": String(seeds[i] === shown),
                style: `left:${100 * value}%;bottom:${4 + (height % 5) * 9}px`, onclick: () => set("draw", i),
                "aria-label": `Draw ${i + 1}, seed ${seeds[i]}: ${name} ${percent(value, 1)}, N′ ${distinct[i]}`,
                title: `Draw ${i + 1}, seed ${seeds[i]}: ${percent(value, 1)}, N′ ${distinct[i]}. Press to see it.`});
        });
        const bar = el("i", {class: "zoom-interval", style: `left:${100 * low}%;width:${Math.max(0.6, 100 * (high - low))}%`});
        const middle = el("i", {class: "zoom-mean", style: `left:${100 * mean}%`});
        const axis = el("div", {class: "zoom-axis"}, ...[0, 0.25, 0.5, 0.75, 1].map((tick) => el("span", {style: `left:${100 * tick}%`}, String(tick))));
        return [el("div", {class: "zoom-dots", role: "group", "aria-label": `Probability of ${name} over the draws`}, bar, middle, ...dots), axis,
            el("p", {class: "zoom-sum"}, `${same} of ${answers.length} draws say ${name}; middle 90 %: ${percent(low, 1)} to ${percent(high, 1)}, mean ${percent(mean, 1)}`)];
    }

    // ---- what it cost

    function costs() {
        const host = at("zoom-cost-view");
        if (!host || !now.costs) return;
        const {el} = loupe.dom, {rows} = now.costs;
        const columns = [["memory", "The most that was held at one moment", 0, (v) => short(v, "B")], ["ops", "Multiply-adds of convolutions and linear layers", 1, (v) => short(v)], ["time", "Here, on this machine", 2, (v) => (v < 1 ? `${Math.round(1000 * v)} ms` : `${v.toFixed(1)} s`)], ["read", "Pixels of the image that were read, at whatever scale", 3, (v) => short(v)]];
        const tops = columns.map(([, , i]) => Math.max(...rows.map(({cost}) => (Number.isFinite(cost[i]) ? cost[i] : 0))));
        const cell = (row, c) => {
            const [, , i, text] = columns[c], held = row.cost[i];
            if (!Number.isFinite(held)) return el("td", {title: "Its view of the whole image does not fit into memory."}, "–");
            return el("td", {}, text(held), el("i", {style: `width:${100 * held / (tops[c] || 1)}%`}));
        };
        const head = el("tr", {}, el("th", {}, "model"), ...columns.map(([name, about_]) => el("th", {title: about_}, name)));
        const body = rows.map((row) => el("tr", {class: row.key === now.told.asked.model ? "is-mine" : null},
            el("th", {title: row.title}, row.name, el("span", {}, row.said)), ...columns.map((_, c) => cell(row, c))));
        host.replaceChildren(el("table", {}, el("thead", {}, head), el("tbody", {}, ...body)));
        say("cost", "ready");
        honest("cost", [`${rows.length} models`, now.image.title, `N ${now.told.asked.n}, seed ${now.told.asked.seed}`, "measured here"]);
    }

    /** The answer of zoom.compare as rows, the chosen model first. */
    function compared(arrays, titles, model) {
        const keys = new TextDecoder().decode(Uint8Array.from(arrays.keys.data)).split("\n"), k = arrays.answers.shape[1];
        const rows = keys.map((key, i) => {
            const {title, classes, kind} = titles[key], row = Array.from(arrays.answers.data.subarray(k * i, k * i + classes.length));
            const isKnown = row.every(Number.isFinite), label = loupe.zoom.best(row);
            return {key, title, kind, name: key.startsWith("own-") ? key.slice(4) : SHORT[kind] || title,
                said: isKnown ? `${classes[label]} ${percent(row[label])}` : "does not fit into memory",
                cost: Array.from(arrays.cost.data.subarray(4 * i, 4 * i + 4))};
        });
        const order = Object.keys(SHORT);
        return rows.sort((a, b) => (b.key === model) - (a.key === model) || order.indexOf(a.kind) - order.indexOf(b.kind));
    }

    // ---- how few pieces hold it

    function share() {
        if (!now.look || !at("zoom-share-graph")) return;
        const figure = structuredClone(now.facts.figure), held = loupe.zoom.shares(now.look), counts = held.map((_, i) => i + 1);
        Object.assign(figure.data[0], {x: counts, y: held});
        Object.assign(figure.data[1], {x: counts, y: counts.map((i) => i / held.length)});
        figure.layout.template = loupe.theme.template();
        loupe.zoom.setProps("zoom-share-graph", {figure});
        const half = held.findIndex((one) => one >= 0.5) + 1;
        say("share", "ready");
        honest("share", [half ? `top ${half} of ${held.length} hold half` : "no piece has an effect", ...about(), seedOf()]);
    }

    // ---- pieces

    function tile(i, place) {
        const {el} = loupe.dom, {look, image} = now, {x, y, w, h} = look.subtiles[i], effect = look.effects[i];
        const text = `${effect < 0 ? "−" : "+"}${Math.abs(effect).toPrecision(2)}`;
        return el("button", {type: "button", role: "option", class: "zoom-piece", "data-piece": i, tabindex: place ? -1 : 0,
            "aria-selected": String(i === now.piece),
            title: `Piece ${i + 1} at ${x}, ${y}: effect ${text} on ${look.name}, weight ${percent(look.weights[i], 1)}, tile ${look.tileOf[i] + 1}`},
            el("img", {alt: "", loading: "lazy", width: 72, height: 72, src: `/_zoom/crop/${image.fingerprint}.jpg?${query(image.key, `&x=${x}&y=${y}&w=${w}&h=${h}`)}`}),
            el("span", {}, el("b", {}, `${i + 1}`), el("em", {class: effect < 0 ? "is-against" : "is-for"}, text)),
            el("span", {class: "lp-muted"}, `w ${percent(look.weights[i], 1)}`));
    }

    function pieces() {
        const host = at("zoom-gallery");
        if (!host || !now.look) return;
        host.replaceChildren(...now.look.order.map(tile));
        host.scrollTop = 0;
        say("pieces", "ready");
        honest("pieces", [`${now.look.n} of ${now.look.n} pieces by weight × effect on “${now.look.name}”`, ...about(), seedOf()]);
    }

    /** Mark a piece in the gallery and in the viewer; `isGoing`: the viewer goes there. */
    function mark(i, isGoing) {
        now.piece = i;
        const host = at("zoom-gallery");
        if (!host || !now.look) return;
        host.querySelectorAll("[data-piece]").forEach((option) => {
            const isMine = Number(option.dataset.piece) === i;
            if (option.getAttribute("aria-selected") !== String(isMine)) option.setAttribute("aria-selected", String(isMine));
            if (isMine) keepVisible(host, option);
        });
        const box = now.look.subtiles[i];
        if (isGoing && box) bringUp();
        if (isGoing && box) loupe.zoomViewer.fit({x: box.x - 2.5 * box.w, y: box.y - 2.5 * box.h, w: 6 * box.w, h: 6 * box.h}, true);
        loupe.zoomLayers.repaint();
    }

    /** The viewer is brought back where the page is scrolled so that little of it is seen. */
    function bringUp() {
        const {top, bottom, height} = at("zoom-stage").getBoundingClientRect();
        const seen = Math.min(bottom, window.innerHeight) - Math.max(top, 0);
        if (seen < height / 3) at("zoom-viewer").scrollIntoView({block: "nearest"});
    }

    function keepVisible(host, option) {
        const top = option.offsetTop - host.offsetTop, bottom = top + option.offsetHeight;
        if (top < host.scrollTop || bottom > host.scrollTop + host.clientHeight) host.scrollTop = top - 8;
    }

    /** The user's choice: seen at once, then written into the state. */
    function choose(i, isGoing) {
        mark(i, isGoing);
        set("piece", i);
    }

    function step(by) {
        if (!now.look) return;
        const place = now.look.order.indexOf(now.piece), next = now.look.order[Math.min(now.look.n - 1, Math.max(0, place + by))];
        choose(next, true);
    }

    document.addEventListener("click", (event) => {
        const option = event.target.closest?.("#zoom-gallery [data-piece]");
        if (option) choose(Number(option.dataset.piece), true);
    });
    document.addEventListener("keydown", (event) => {
        const by = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
        if (!by || !event.target.closest?.("#zoom-gallery")) return;
        event.preventDefault();
        step(by);
        at("zoom-gallery").querySelector(`[data-piece="${now.piece}"]`)?.focus({preventScroll: true});
    });

    loupe.zoomPieces = {choose, mark, step};
    loupe.zoomPanels = {answer, costs, compared, share, pieces};
})(window.loupe);
