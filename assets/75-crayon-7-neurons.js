/* Crayon: what an answer about a patch means for the neurons that own it. A neuron has up to three patches;
 * each distinct patch is asked once and its answer counts for every owner. The rule is that of
 * backend/crayon/aggregate.py: +1 a yes, -1 a no, kept while the sum is not negative. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const VOTE = {yes: 1, no: -1}, WORD = {1: "yes", "-1": "no", 0: "undecided"};
    const {part} = loupe.crayonStage;
    let held = {key: ""}, votes = new Map(), askedAt = 0, timer = 0;

    /** The patches of a model: fetched once, then kept. */
    async function load(key) {
        if (held.key === key) return held;
        const {arrays} = await loupe.wire.fetch(`/_data/${key}?arrays=patches,owners,alone,accuracy`);
        const numbers = (array) => Array.from(array.data, Number), width = arrays.owners.shape[1];
        const flat = numbers(arrays.owners), places = numbers(arrays.patches);
        const owners = Array.from({length: arrays.owners.shape[0]}, (_, k) => flat.slice(k * width, (k + 1) * width));
        const ofPatch = new Map();
        owners.forEach((patches, k) => new Set(patches).forEach((patch) => {
            if (patch >= 0) ofPatch.set(patch, [...(ofPatch.get(patch) || []), k]);
        }));
        held = {key, owners, ofPatch, rows: Array.from({length: arrays.patches.shape[0]}, (_, p) => places[3 * p]),
            alone: numbers(arrays.alone), accuracy: Number(arrays.accuracy.data[0])};
        votes = new Map();
        return held;
    }

    const score = (k, of) => held.owners[k].reduce((sum, patch) => sum + (of.get(patch) || 0), 0);

    /** Of the owners the one that is nearest to a verdict: most of its patches have been answered. */
    function owner(patch) {
        const known = held.ofPatch.get(patch) || [];
        const answered = (k) => held.owners[k].filter((one) => votes.has(one)).length;
        return known.reduce((best, k) => (best < 0 || answered(k) > answered(best) ? k : best), -1);
    }

    /** The asked patch first, then the others of the same neuron. */
    function views(item) {
        const url = item.panels.patch, {picture, other} = loupe.crayonDeck;
        const of = (patch) => url.replace(/\/patch\/\d+\/patch\.webp/, `/patch/${patch}/patch.webp`);
        const bare = (patch) => other(url.replace(/\/patch\/\d+\//, `/map/${held.rows[patch]}/`), "original");
        const neuron = held.owners ? owner(item.item_id) : -1;
        const rest = neuron < 0 ? [] : [...new Set(held.owners[neuron])].filter((patch) => patch >= 0 && patch !== item.item_id);
        item.neuron = neuron;
        return [item.item_id, ...rest].map((patch, i) => ({name: i ? `other-${i}` : "asked", patch,
            caption: i ? `Same neuron, #${patch}` : "Asked now", image: picture(of(patch)), peeked: picture(held.rows ? bare(patch) : of(patch))}));
    }

    /** Everyone's votes, and over them what this annotator has just said. */
    function known(round) {
        const of = new Map(votes);
        const waiting = new Set(loupe.crayonSender.waiting().map((row) => row.item_id));
        round.given.forEach(({item, answer}) => {
            if (!of.has(item.item_id) || waiting.has(item.item_id)) of.set(item.item_id, VOTE[answer] || 0);
        });
        return of;
    }

    async function fetchVotes(round) {
        askedAt = performance.now();
        const {set, parent} = round.scope;
        const told = await loupe.crayon.ask(`/_crayon/votes?${new URLSearchParams({set, parent})}`).catch(() => null);
        if (told) votes = new Map(Object.entries(told.votes).map(([patch, vote]) => [Number(patch), vote]));
        return told;
    }

    function refresh(kind, root, round) {
        if (kind !== "patch" || !held.owners) return;
        show(root, round);
        clearTimeout(timer);
        timer = setTimeout(async () => {
            if (!loupe.crayonSender.status().waiting && await fetchVotes(round)) show(root, round);
        }, Math.max(400, askedAt + 3000 - performance.now()));
    }

    function show(root, round) {
        const place = part(root, "neuron"), {el} = loupe.dom, of = known(round);
        const pruned = held.owners.filter((_, k) => score(k, of) < 0).length, all = held.owners.length;
        const parts = [el("span", {}, el("b", {}, `${pruned} of ${all}`), " neurons would be pruned by the answers so far")];
        const item = round.now && round.now.item;
        if (item && item.neuron >= 0) {
            const k = item.neuron, own = held.owners[k].filter((patch) => patch >= 0), said = own.filter((patch) => of.has(patch));
            const verdict = !said.length ? "not asked about yet, so kept" : score(k, of) < 0 ? "would be pruned" : "would be kept";
            const change = 100 * (held.alone[k] - held.accuracy), others = held.ofPatch.get(item.item_id).length - 1;
            const sign = change < 0 ? "−" : "+";
            parts.unshift(el("span", {}, el("b", {}, `Neuron ${k}`), `: ${said.length} of ${own.length} patches answered, ${verdict}`));
            parts.push(el("span", {}, `Pruning it alone: training accuracy ${(100 * held.accuracy).toFixed(2)} → ${(100 * held.alone[k]).toFixed(2)} % (${sign}${Math.abs(change).toFixed(2)})`),
                el("span", {}, others ? `This answer also counts for ${others} other ${others === 1 ? "neuron" : "neurons"}` : "Only this neuron owns the patch"));
            badges(root, round, of);
        }
        place.replaceChildren(...parts);
    }

    function badges(root, round, of) {
        const figures = part(root, "views").children;
        round.now.item.views.forEach(({patch, caption}, i) => {
            const text = i ? `${caption}: ${of.has(patch) ? WORD[of.get(patch)] : "not asked yet"}` : caption;
            if (figures[i]) loupe.crayonStage.write(figures[i].lastChild, text);
        });
    }

    loupe.crayonPanel.onDraw(refresh);
    loupe.crayonNeurons = {load, views, owner, score};
})(window.loupe);
