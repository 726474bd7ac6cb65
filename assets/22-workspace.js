/* The selection told to the server, so that a notebook (backend.client) and a project file can have it; and the
   project file itself, opened on the Library page. An idle page tells nothing. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const PAUSE_MS = 400, MOST_IDS = 100000;
    let timer = 0, told = "";

    const plain = ({items, ids, name}) => ({items, ids: ids.slice(0, MOST_IDS).join(","), name: name || ""});
    const here = () => {
        const {pathname, href} = new URL(loupe.state.current().url);
        const last = loupe.state.recent()[0];
        return pathname === "/library" && last ? last.url : href.slice(location.origin.length);
    };

    /** Whoever may not keep it (an annotator) is not bothered with that. */
    async function tell() {
        clearTimeout(timer);
        const current = {...plain(loupe.selection.current()), link: here()};
        const body = JSON.stringify({current, shelf: loupe.selection.shelf().map(plain)});
        if (body === told) return;
        told = body;
        const answer = await fetch("/_workspace/selection", {method: "POST", headers: {"Content-Type": "application/json"}, body}).catch(() => null);
        await answer?.text(); // read to its end, so that the connection is free again
    }

    function soon() {
        clearTimeout(timer);
        timer = setTimeout(tell, PAUSE_MS);
    }

    /** The shelf is read once when the page is loaded: that is no change. */
    let isRead = false;
    function onShelf() {
        if (isRead) soon();
        isRead = true;
    }

    async function open(file) {
        const body = new FormData();
        body.append("file", file, file.name);
        const found = await loupe.dom.request("/_workspace/project", {method: "POST", body});
        if (!found) return;
        loupe.selection.fillShelf(found.shelf);
        if (found.current) loupe.selection.set(found.current, "project");
        const {el} = loupe.dom;
        const parts = [el("p", {}, `${found.notes} new notes are on the Pinboard; the shelf has ${found.shelf.length} selections.`)];
        if (found.missing.length) {
            parts.push(el("p", {}, `Not here: ${found.missing.join(", ")}. The owner of this machine loads them, as opening models can run code:`),
                el("code", {}, `python -m backend project load ${file.name}`));
        }
        if (found.link) parts.push(el("button", {type: "button", class: "lp-btn lp-btn-main", onclick: () => { document.getElementById("library-dialog").close(); loupe.state.go(found.link); }}, "Open its view"));
        loupe.panels.dialog("library-dialog", "Project opened", el("div", {class: "library-sure"}, ...parts));
    }

    document.addEventListener("click", async (event) => {
        const target = event.target instanceof Element ? event.target : null;
        if (target?.closest("#library-project")) {
            const input = loupe.dom.el("input", {type: "file", accept: ".json,application/json"});
            input.addEventListener("change", () => { if (input.files.length) open(input.files[0]); });
            input.click();
        }
        const save = target?.closest("#library-save");
        if (save && !save.dataset.told) {
            event.preventDefault();
            await tell();
            save.dataset.told = "1";
            save.click();
            delete save.dataset.told;
        }
    });

    loupe.selection.onChange(soon);
    loupe.selection.onShelf(onShelf);
})(window.loupe);
