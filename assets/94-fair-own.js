/* Fair retrieval: pools of the user's own, as a table of scores and groups or as registered pairs that a text is asked of. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {at, set} = loupe.fair;

    function open() {
        const {el} = loupe.dom, dialog = at("fair-own-dialog"), values = loupe.fair.values();
        const file = el("input", {type: "file", id: "fair-own-file", accept: ".csv,.parquet", required: true});
        const plus = el("input", {class: "lp-field", id: "fair-own-plus", placeholder: "+1"}), minus = el("input", {class: "lp-field", id: "fair-own-minus", placeholder: "−1"});
        const said = el("p", {class: "fair-own-said", role: "alert"});
        const form = el("form", {onsubmit: (event) => { event.preventDefault(); send(file, plus, minus, said); }},
            el("h2", {}, "Your own scores and groups"),
            el("p", {}, "A CSV or Parquet table, one row an item of the pool of one query: columns score and group, and if you have them id, predicted and relevant. Groups are −1, 0 and 1, or words that you name here."),
            el("label", {}, "Table", file), el("label", {}, "Word for the first group, +1", plus), el("label", {}, "Word for the second group, −1", minus), said,
            el("div", {class: "lp-row"}, el("button", {class: "lp-btn lp-btn-main"}, "Open"),
                values.own ? el("button", {type: "button", class: "lp-btn", onclick: () => { set("own", ""); dialog.close(); }}, "Back to the drawn people") : null,
                el("button", {type: "button", class: "lp-btn", onclick: () => dialog.close()}, "Close")));
        const pairs = el("div");
        dialog.replaceChildren(form, pairs);
        dialog.showModal();
        offer(pairs);
    }

    /** Registered pairs whose labels name groups: a text is put beside their pictures by their encoder. */
    async function offer(host) {
        const {el} = loupe.dom, title = el("h2", {}, "Or a text over registered pairs");
        let spaces;
        try {
            ({spaces} = await told(await fetch("/_fair/spaces")));
        } catch (error) {
            host.replaceChildren(el("form", {}, title, el("p", {role: "alert"}, error.message)));
            return;
        }
        if (!spaces.length) {
            host.replaceChildren(el("form", {}, title, el("p", {}, "None is registered. Pairs in folders that are named by their group, or with a column of labels, can be asked with the bundled encoders and with a dual encoder of yours: add them in the Library.")));
            return;
        }
        const choice = (name, label) => { const field = el("select", {class: "lp-field", name}); return [field, el("label", {}, label, field)]; };
        const [space, spaceBox] = choice("space", "Pairs and their encoder"), [plus, plusBox] = choice("plus", "First group, +1"), [minus, minusBox] = choice("minus", "Second group, −1");
        space.append(...spaces.map((one) => el("option", {value: one.key}, one.title)));
        const fill = () => [plus, minus].forEach((field, i) => {
            const {groups} = spaces.find((one) => one.key === space.value);
            field.replaceChildren(...groups.map(({name, count}, place) => el("option", {value: name, selected: place === i}, `${name} (${count})`)));
        });
        space.addEventListener("change", fill);
        fill();
        const text = el("input", {class: "lp-field", name: "text", maxlength: 200, required: true, placeholder: "a neutral query"}), said = el("p", {class: "fair-own-said", role: "alert"});
        host.replaceChildren(el("form", {onsubmit: (event) => { event.preventDefault(); score({space: space.value, text: text.value, plus: plus.value, minus: minus.value}, said); }},
            title, spaceBox, el("label", {}, "Query", text), plusBox, minusBox, said, el("div", {class: "lp-row"}, el("button", {class: "lp-btn lp-btn-main"}, "Ask"))));
    }

    /** The JSON of an answer; what it refuses becomes an Error with its sentence. */
    async function told(answer) {
        const held = await answer.json();
        if (!answer.ok) throw new Error(`${held.message} ${held.hint || ""}`);
        return held;
    }

    async function score(asked, said) {
        said.textContent = "Asking the model…";
        try {
            opened(await told(await fetch("/_fair/pairs", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(asked)})), "Pairs opened", "; true groups select");
        } catch (error) {
            said.textContent = error.message;
        }
    }

    function opened(held, title, more) {
        at("fair-own-dialog").close();
        loupe.notify({kind: "ok", title, message: `${held.title}: ${held.n.toLocaleString("en-US")} items${more}.`});
        if (["mi", "debias", "mi-pbm", "debias-pbm"].includes(loupe.fair.values().method)) set("method", "pbm");
        set("own", held.own);
    }

    async function send(file, plus, minus, said) {
        if (!file.files[0]) { said.textContent = "No table was given. Choose a .csv or .parquet file."; return; }
        const body = new FormData();
        body.append("table", file.files[0]);
        body.append("plus", plus.value);
        body.append("minus", minus.value);
        said.textContent = "Reading…";
        let answer, held;
        try {
            answer = await fetch("/_fair/import", {method: "POST", body});
            held = await answer.json();
        } catch (_offline) {
            said.textContent = "The server does not answer. Check that Loupe is still running.";
            return;
        }
        if (!answer.ok) { said.textContent = `${held.message} ${held.hint || ""}`; return; }
        opened(held, "Table opened", held.has_predicted ? "" : "; without a column predicted, true groups select");
    }

    document.addEventListener("click", (event) => { if (event.target.closest?.("#fair-own")) open(); });
})(window.loupe);
