/* Pins: any plot with a sentence, kept on a board. Pinning is an action of every plot's menu. */
window.loupe = window.loupe || {};
window.dash_clientside = window.dash_clientside || {};
(function (loupe) {
    "use strict";
    const again = () => window.dash_clientside.set_props("pinboard-again", {data: Date.now()});
    const json = (body) => ({method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});

    function sheet() {
        const held = document.getElementById("pin-dialog");
        if (held) return held;
        const made = loupe.dom.el("dialog", {id: "pin-dialog", class: "lp-dialog", "aria-label": "Pin"});
        document.body.append(made);
        return made;
    }

    async function pin(card) {
        const {el, request} = loupe.dom;
        const elements = loupe.image.visuals(card);
        if (!elements.length) throw new Error("There is nothing to be pinned yet.");
        const about = loupe.card.facts(card);
        const {url: png} = await loupe.image.compose(card, elements);
        sheet();
        const text = el("input", {class: "lp-field", maxlength: 500, name: "sentence", "aria-label": "Sentence",
            placeholder: "What does it show?", autocomplete: "off"});
        const place = new URL(about.url, location.href);
        const form = el("form", {class: "pin-form"}, el("p", {class: "lp-muted"}, `${about.title} · ${about.honesty}`), text,
            el("button", {class: "lp-btn lp-btn-main"}, "Pin"));
        form.addEventListener("submit", async (event) => {
            event.preventDefault();
            const made = await request("/_pins/add", json({sentence: text.value, title: about.title, honesty: about.honesty,
                url: place.pathname + place.search, png}));
            if (!made) return;
            sheet().close();
            loupe.card.say("Pinned: it is on the Pinboard");
        });
        loupe.panels.dialog("pin-dialog", "Pin this plot", form);
        text.focus();
    }

    async function change(button) {
        if (await loupe.dom.request(`/_pins/${button.dataset.pin}/${button.dataset.pinAction}`, {method: "POST"})) again();
    }

    async function bring(file) {
        const body = new FormData();
        body.append("file", file, file.name);
        const made = await loupe.dom.request("/_pins/import", {method: "POST", body});
        if (!made) return;
        loupe.card.say(`${made.pins} pins were added`);
        again();
    }

    document.addEventListener("click", (event) => {
        const target = event.target instanceof Element ? event.target : null;
        const button = target?.closest("#pinboard-page [data-pin-action]");
        if (button) change(button);
        if (!target?.closest("#pinboard-import")) return;
        const input = loupe.dom.el("input", {type: "file", accept: ".json,application/json"});
        input.addEventListener("change", () => { if (input.files.length) bring(input.files[0]); });
        input.click();
    });
    document.addEventListener("change", async (event) => {
        const place = event.target.closest?.(".pinboard-sentence");
        if (!place) return;
        await loupe.dom.request(`/_pins/${place.dataset.pin}/say`, json({sentence: event.target.value.trim()}));
        again();
    });
    document.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && event.target.closest?.(".pinboard-sentence")) event.target.blur();
    });

    /** A text field in every pin, with that pin's sentence; cards are used again in another order. */
    function fill() {
        document.querySelectorAll(".pinboard-sentence").forEach((place) => {
            const input = place.querySelector("input") || loupe.dom.el("input", {class: "lp-field", maxlength: 500,
                "aria-label": "Sentence", placeholder: "Say what it shows", autocomplete: "off"});
            input.readOnly = loupe.login?.role() === "viewer";
            if (!input.parentNode) place.append(input);
            if (document.activeElement !== input) input.value = place.dataset.sentence;
        });
    }

    loupe.card.actions.pin = pin;
    window.dash_clientside.loupe_pins = {
        ready() {
            fill();
            requestAnimationFrame(fill);
            return window.dash_clientside.no_update;
        },
    };
})(window.loupe);
