/* NERO: files of one's own. They are sent once, become a set named by its content, and the page opens
 * on it. What is wrong with a file is a sentence that names it. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const button = () => document.getElementById("nero-open");

    async function send(files, task) {
        const body = new FormData();
        [...files].forEach((file) => body.append("files", file, file.name));
        const host = button();
        host.disabled = true;
        host.setAttribute("aria-busy", "true");
        try {
            const answer = await loupe.dom.request(`/_nero/open?task=${encodeURIComponent(task)}`, {method: "POST", body});
            if (answer) loupe.state.go(answer.url);
        } catch (_offline) {
            loupe.notify({title: "The files were not opened", message: "The server does not answer.", kind: "error"});
        } finally {
            if (host.isConnected) host.disabled = false;
            host.removeAttribute("aria-busy");
        }
    }

    function ask() {
        const {accept, task} = button().dataset;
        const input = loupe.dom.el("input", {type: "file", multiple: true, accept, id: "nero-files", hidden: true,
            "aria-label": "Files of your own"});
        document.getElementById("nero-files")?.remove();
        input.addEventListener("change", () => {
            if (input.files.length) send(input.files, task);
            input.remove();
        });
        document.body.append(input);
        input.click();
    }

    document.addEventListener("click", (event) => {
        if (event.target instanceof Element && event.target.closest("#nero-open:enabled")) ask();
    });

    loupe.neroOpen = {send};
})(window.loupe);
