/* Modality gap: paired embeddings of one's own. One file with both, or one a modality; captions beside them. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {PAGE, at, isHere, ask, count, set, keepOwn} = loupe.gap;
    let busy = 0;

    function open() {
        const {el} = loupe.dom;
        const file = (name, label, accept, note) => el("label", {}, el("b", {}, label), el("input", {type: "file", name, accept}), el("span", {class: "lp-muted"}, note));
        const form = el("form", {class: "gap-own", onsubmit: (event) => { event.preventDefault(); bring(new FormData(event.target)); }},
            file("images", "Embeddings", ".npy,.npz", "A .npy of shape (2, n, d), images first; an .npz with image_emb and text_emb (captions, labels, thumbs as well); or the images alone, (n, d)."),
            el("label", {}, el("b", {}, "Or a file of the server"), el("input", {class: "lp-field", name: "path", maxlength: 300, placeholder: "pairs.npy"}), el("span", {class: "lp-muted"}, "For large arrays: its path below a folder of LOUPE_ROOTS, or in the folder data of the state folder. Up to 1,000,000 pairs.")),
            file("texts", "Texts, if apart", ".npy", "A .npy of shape (n, d): row j belongs to image j."),
            file("captions", "Captions, if there are", ".txt,.csv", "A caption a line, or a table with the column caption."),
            el("label", {}, el("b", {}, "Title"), el("input", {class: "lp-field", name: "title", maxlength: 60})),
            el("label", {class: "gap-check-box"}, el("input", {type: "checkbox", name: "normalise", value: "1"}), "Scale every row to length 1"),
            el("button", {class: "lp-btn lp-btn-main"}, "Import"), el("p", {role: "status", id: `${PAGE}-own-said`, class: "lp-muted"}, ""));
        loupe.panels.dialog(`${PAGE}-own-dialog`, "Paired embeddings of your own", form);
    }

    function tell(text, isBad) {
        const line = at("own-said");
        if (!line) return;
        line.textContent = text;
        line.className = isBad ? "gap-bad" : "lp-muted";
    }

    async function bring(form) {
        ["images", "texts", "captions"].forEach((name) => { if (!form.get(name)?.size) form.delete(name); });
        if (!form.get("images") && !form.get("path").trim()) return tell("Choose a file of embeddings first.", true);
        const mine = busy += 1;
        tell("Reading the arrays…");
        try {
            const held = await ask("/_gap/import", form);
            if (mine !== busy || !isHere()) return null;
            keepOwn({key: held.space, title: held.title});
            at("own-dialog").close();
            loupe.card.say(`${held.title}: ${count(held.n)} pairs in ${held.width} dimensions`);
            set("focus", held.space);
            set("pair", -1);
            set("delta", 0);
            set("spaces", held.space);
        } catch (error) {
            if (mine === busy) tell([error.message, error.hint].filter(Boolean).join(" "), true);
        }
        return null;
    }

    document.addEventListener("click", (event) => {
        if (isHere() && event.target.closest?.(`#${PAGE}-own`)) open();
    });
    loupe.gapOwn = {open};
})(window.loupe);
