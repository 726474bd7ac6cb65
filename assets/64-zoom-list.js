/* Zoom-In: the list of images with what the model says of each; one's own by path or upload; and the
 * jobs that an image needs first. What is wrong with a file is a sentence under the list. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {now, at, set, ask, query, percent} = loupe.zoom;
    const PART_BYTES = 4 * 1024 * 1024;
    const GROUPS = {needle: "Needles · simulated", large: "Large needles · simulated", upload: "Uploaded", set: "Registered", file: "Your files"};
    let images = [], known = new Map(), drawnFor = "", chosen = "";

    // ---- rows

    const megapixels = ({width, height}) => `${width.toLocaleString("en-US")} × ${height.toLocaleString("en-US")}`;

    /** What the model says of an image, in a few words; a cross where that is wrong. */
    function verdict(image) {
        const {el} = loupe.dom, held = known.get(image.key);
        if (image.state === "bad") return el("span", {class: "zoom-bad"}, "cannot be used");
        if (image.state === "build") return el("span", {}, "not built yet");
        if (image.state === "pyramid") return el("span", {}, "needs its pyramid");
        if (!held) return el("span", {}, "not asked yet");
        const isKnown = image.label !== null, isRight = image.label === held.label && image.classes[image.label] === held.name;
        const mark = isKnown ? el("i", {class: isRight ? "zoom-right-mark" : "zoom-wrong-mark", title: isRight ? "right" : "wrong"}, isRight ? "✓" : "✗") : null;
        return el("span", {}, mark, `${held.name} ${percent(held.p)} · N′ ${held.distinct}`);
    }

    function thumbnail(image) {
        const {el} = loupe.dom;
        if (image.state !== "ready") return el("span", {class: "zoom-thumb"}, loupe.dom.icon(image.state === "bad" ? "alert-triangle" : "photo"));
        return el("img", {class: "zoom-thumb", alt: "", loading: "lazy", width: 40, height: 40,
            src: `/_zoom/view/${image.fingerprint}.jpg?${query(image.key, "&px=80")}`});
    }

    function row(image) {
        const {el} = loupe.dom;
        const truth = image.label === null ? "" : `truth: ${image.classes[image.label]}`;
        const size = image.width ? megapixels(image) : "";
        return el("button", {type: "button", class: "zoom-row-item", role: "option", tabindex: -1, "data-key": image.key,
            "aria-selected": String(image.key === chosen), title: image.note || `${image.title}, ${size}`},
            thumbnail(image), el("span", {class: "zoom-row-text"},
                el("b", {}, ["file", "set"].includes(image.kind) ? image.key.slice(image.kind.length + 1) : image.title.replace(" (simulated)", "")),
                el("span", {class: "lp-muted"}, truth || size), el("span", {class: "zoom-said"}, verdict(image))));
    }

    function draw() {
        const host = at("zoom-list");
        if (!host) return;
        const {el} = loupe.dom, parts = [];
        let kind = "";
        images.forEach((image) => {
            if (image.kind !== kind) parts.push(el("p", {class: "zoom-group"}, GROUPS[image.kind]));
            kind = image.kind;
            parts.push(row(image));
        });
        host.replaceChildren(...parts);
        reveal();
    }

    /** Only the words of the answers: pictures and scrolling stay. */
    function tellAnswers() {
        images.forEach((image) => {
            const place = at("zoom-list")?.querySelector(`[data-key="${CSS.escape(image.key)}"] .zoom-said`);
            if (place) place.replaceChildren(verdict(image));
        });
        const held = images.filter(({key}) => known.has(key)).length;
        loupe.zoom.honest("images", [`${images.length} images`, `${held} asked`, now.told?.model?.title,
            now.told?.asked && `N ${now.told.asked.n}, seed ${now.told.asked.seed}`, "measured here", "needles are simulated"]);
    }

    function reveal() {
        at("zoom-list")?.querySelectorAll("[role=option]").forEach((option) => {
            const isMine = option.dataset.key === chosen;
            option.setAttribute("aria-selected", String(isMine));
            if (isMine && !option.matches(":hover")) keepVisible(option);
        });
    }

    /** Scrolls the list alone, never the page. */
    function keepVisible(option) {
        const host = option.parentElement, top = option.offsetTop - host.offsetTop;
        if (top < host.scrollTop) host.scrollTop = top - 24;
        else if (top + option.offsetHeight > host.scrollTop + host.clientHeight) host.scrollTop = top + option.offsetHeight - host.clientHeight + 8;
    }

    async function load() {
        try {
            ({images} = await ask("/_zoom/list"));
        } catch (error) {
            loupe.zoom.say("images", "failed", {message: error.message, hint: error.hint});
            return;
        }
        draw();
        loupe.zoom.say("images", "ready");
        tellAnswers();
    }

    // ---- choosing

    function choose(key) {
        if (key === loupe.zoom.value("image")) return;
        set("image", key);
        loupe.zoomViewer.forget();
        Object.entries({region: "", draw: 0, view: "", piece: -1}).forEach(([name, empty]) => {
            if (loupe.zoom.value(name) !== empty) set(name, empty);
        });
    }

    function step(by) {
        const usable = images.filter(({state}) => state !== "bad"), place = usable.findIndex(({key}) => key === chosen);
        const next = usable[place + by];
        if (next) choose(next.key);
        else loupe.say(by < 0 ? "This is the first image" : "This is the last image");
    }

    /** The page shows this image now; one that the list does not know is added. */
    function mark(image) {
        chosen = image.key;
        const place = images.findIndex(({key}) => key === image.key);
        if (images.length && (place < 0 || images[place].state !== image.state)) {
            if (place < 0) images.push(image);
            else images[place] = image;
            images.sort((a, b) => Object.keys(GROUPS).indexOf(a.kind) - Object.keys(GROUPS).indexOf(b.kind));
            draw();
            tellAnswers();
        }
        reveal();
    }

    /** The answers belong to these settings; with others, nothing is known yet. */
    function settings(text) {
        if (text !== drawnFor) known = new Map();
        drawnFor = text;
    }

    function note(key, {label, name, answer, tiles}) {
        known.set(key, {label, name, p: answer[label], distinct: tiles.length});
        tellAnswers();
    }

    function fill(arrays, classes) {
        const {answers, distinct} = arrays, k = answers.shape[1];
        for (let i = 0; i < answers.shape[0]; i += 1) {
            const row = Array.from(answers.data.subarray(k * i, k * i + k)), label = loupe.zoom.best(row);
            known.set(`needle:${i}`, {label, name: classes[label], p: row[label], distinct: Number(distinct.data[i])});
        }
        tellAnswers();
    }

    // ---- one's own

    function tell(message, isBad) {
        const place = at("zoom-note");
        if (!place) return;
        place.textContent = message;
        place.classList.toggle("zoom-bad", Boolean(isBad));
    }

    const refuse = (error, name) => tell(`${name}: ${[error.message, error.hint].filter(Boolean).join(" ")}`, true);

    async function openPath(path) {
        const text = path.trim();
        if (!text) return tell("No path is given. Write one below an allowed folder (LOUPE_IMAGE_ROOTS).", true);
        tell("Opening…");
        try {
            const image = await ask(`/_zoom/info?${query(`file:${text}`)}`);
            if (image.state === "bad") throw loupe.zoom.failure(image.note);
            tell("");
            choose(image.key);
        } catch (error) {
            refuse(error, text);
        }
    }

    async function upload(file) {
        try {
            const {ticket} = await ask("/_zoom/upload", {method: "POST"});
            for (let start = 0; start < file.size; start += PART_BYTES) {
                tell(`Uploading ${file.name}: ${percent(start / file.size)}`);
                await ask(`/_zoom/upload/${ticket}?start=${start}`, {method: "PUT", body: file.slice(start, start + PART_BYTES)});
            }
            const image = await ask(`/_zoom/upload/${ticket}/finish?name=${encodeURIComponent(file.name)}`, {method: "POST"});
            if (image.state === "bad") throw loupe.zoom.failure(image.note);
            tell(`${image.title} is open.`);
            await load();
            choose(image.key);
        } catch (error) {
            refuse(error, file.name);
        }
    }

    function pick() {
        const input = loupe.dom.el("input", {type: "file", accept: ".tif,.tiff,.svs,.ndpi,.jp2,image/*", id: "zoom-file", hidden: true, "aria-label": "An image of your own"});
        at("zoom-file")?.remove();
        input.addEventListener("change", () => {
            if (input.files.length) upload(input.files[0]);
            input.remove();
        });
        document.body.append(input);
        input.click();
    }

    /** The job that an image needs before it can be looked at in full; then the page asks again. */
    async function prepare(image) {
        const keep = image.state === "pyramid";
        try {
            const {job} = await ask(`/_zoom/prepare?${query(image.key)}`, {method: "POST"});
            const isWanted = () => now.image && now.image.key === image.key && loupe.zoom.isHere();
            loupe.zoom.say("viewer", "job", {jobId: job, keep, message: keep ? "Building the pyramid of this image" : "Building the image"});
            let isSeen = false;
            const view = await loupe.zoom.until(job, ({fraction}) => { // the low resolution comes before the first step
                if (!keep || isSeen || !fraction || !isWanted()) return;
                isSeen = true;
                loupe.zoomViewer.open(image);
            });
            if (view.state === "done") await load();
            if (!isWanted() || view.state !== "done") return;
            now.prepared = image.fingerprint;
            loupe.zoomPage.again();
        } catch (error) {
            loupe.zoom.say("viewer", "failed", {message: error.message, hint: error.hint});
        }
    }

    // ---- gestures

    document.addEventListener("click", (event) => {
        const target = event.target instanceof Element ? event.target : null;
        const option = target && target.closest("#zoom-list [data-key]");
        if (option) choose(option.dataset.key);
        else if (target && target.closest("#zoom-upload")) pick();
        else if (target && target.closest("#zoom-ask-all")) loupe.zoomPage.again(true);
        else if (target && target.closest("#zoom-open-path")) {
            event.preventDefault();
            openPath(at("zoom-path").value);
        }
    });
    document.addEventListener("submit", (event) => {
        if (event.target.id !== "zoom-path-form") return;
        event.preventDefault();
        openPath(at("zoom-path").value);
    });
    document.addEventListener("keydown", (event) => {
        const list = event.target.closest?.("#zoom-list"), by = {ArrowDown: 1, ArrowUp: -1}[event.key];
        if (!list || !by) return;
        event.preventDefault();
        step(by);
    });
    document.addEventListener("dragover", (event) => { if (event.target.closest?.(".zoom-page")) event.preventDefault(); });
    document.addEventListener("drop", (event) => {
        if (!event.target.closest?.(".zoom-page") || !event.dataTransfer.files.length) return;
        event.preventDefault();
        upload(event.dataTransfer.files[0]);
    });

    loupe.zoomList = {load, mark, settings, note, fill, step, choose, prepare, upload, openPath, tell};
})(window.loupe);
