/* Metric learning: the page. What is shipped is fetched once; each part then draws what it needs of the state. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {P, now, ask: fetchJson, isHere, say} = loupe.metric;
    const steps = new Set(), leavers = new Set();
    let values = null, loading = null, listing = null;

    function visit(id) {
        leavers.forEach((leave) => leave());
        now.visit = id;
        run();
        return {};
    }

    function ask(given) {
        if (!given) return;
        values = given;
        run();
    }

    /** The overview, the matrices and the properties of every image, kept for the tab's life; and the
     *  user's models, as measured under a distance. */
    async function load(distance) {
        loading = loading || Promise.all([
            fetchJson("/_metric/overview"), fetchJson("/_metric/likeness"), loupe.wire.fetch("/_metric/codes"),
        ]).then(([told, likeness, codes]) => {
            Object.assign(now, {told, likeness, codes: codes.arrays.codes.data});
        });
        await loading;
        if (listing?.distance !== distance) listing = {distance, done: loupe.metric.models(distance)};
        await listing.done;
    }

    async function run() {
        if (!isHere() || !values || !now.visit) return;
        try {
            await load(values.distance);
        } catch (error) {
            loading = listing = null;
            loupe.card.all().forEach((card) => { if (card.id.startsWith(P)) loupe.card.setState(card.id, {kind: "failed", message: error.message, hint: error.hint}); });
            if (error.status === undefined) throw error;
            return;
        }
        if (isHere()) steps.forEach((step) => step(values));
    }

    document.addEventListener("loupe:retry", ({detail}) => {
        if (!isHere() || !detail.cardId.startsWith(P)) return;
        leavers.forEach((leave) => leave(detail.cardId.slice(P.length + 1)));
        run();
    });
    loupe.theme.onChange(() => {
        if (!isHere()) return;
        leavers.forEach((leave) => leave());
        run();
    });

    /** Calls `draw` once for every change of what `keys` say; again after a visit or another theme. */
    function part(card, keys, draw) {
        let before = "";
        leavers.add((only) => { if (!only || only === card) before = ""; });
        steps.add((given) => {
            const key = keys(given);
            if (key === null || key === before) return;
            before = key;
            Promise.resolve().then(() => draw(given)).catch((error) => {
                if (error.status === undefined) throw error;
                loupe.metric.failed(card, error);
            });
        });
    }

    loupe.metricPage = {part, run, onLeave: (leave) => leavers.add(leave), say};
    window.dash_clientside = Object.assign({}, window.dash_clientside, {metric: {visit, ask}});
})(window.loupe);
