/* Fair retrieval: scores and groups of the user's own, as a table. */
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
        dialog.replaceChildren(form);
        dialog.showModal();
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
        at("fair-own-dialog").close();
        loupe.notify({kind: "ok", title: "Table opened", message: `${held.title}: ${held.n.toLocaleString("en-US")} items${held.has_predicted ? "" : "; without a column predicted, true groups select"}.`});
        if (["mi", "debias", "mi-pbm", "debias-pbm"].includes(loupe.fair.values().method)) set("method", "pbm");
        set("own", held.own);
    }

    document.addEventListener("click", (event) => { if (event.target.closest?.("#fair-own")) open(); });
})(window.loupe);
