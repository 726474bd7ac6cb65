/* Modality gap: the page. One question goes to the server for the spaces; each part then asks for its own. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {PAGE, now, at, isHere, set, setProps, value, own} = loupe.gap;
    const MOST = 4;
    const steps = new Set(), leavers = new Set();
    let values = null, asked = "", sent = 0;

    function visit(id) {
        leavers.forEach((leave) => leave());
        Object.assign(now, {told: null, visit: id, maps: null, rows: []});
        now.pairs.clear();
        asked = "";
        if (values) question();
        return {};
    }

    function ask(given) {
        if (!given) return;
        values = given;
        question();
        run();
    }

    function question(again) {
        if (!isHere() || !values || !now.visit) return;
        const held = {spaces: values.spaces, focus: values.focus}, text = JSON.stringify(held);
        if (text === asked && again !== true) return;
        asked = text;
        sent += 1;
        setProps(`${PAGE}-question`, {data: {...held, token: sent}});
    }

    function show(told) {
        if (!told || told.token !== sent || !isHere()) return;
        now.told = told.message ? null : told;
        tell(told.message ? `${told.message} ${told.hint || ""}` : "");
        toolbar(told);
        if (told.message) {
            loupe.card.all().forEach((card) => loupe.card.setState(card.id, {kind: "failed", message: told.message, hint: told.hint}));
            return;
        }
        run();
    }

    const chosen = () => String(value("spaces") || "").split(",").filter(Boolean);

    /** The models side by side as buttons, and the one in detail as a choice. */
    function toolbar(told) {
        const {el} = loupe.dom, keys = chosen(), colours = Object.fromEntries((told.spaces || []).map((one) => [one.key, one.colour]));
        const known = [...told.known, ...own()], extra = (told.spaces || []).filter((one) => !known.some(({key}) => key === one.key));
        const button = ({key, title, note}) => el("button", {type: "button", class: "gap-toggle", "aria-pressed": String(keys.includes(key)), style: colours[key] ? `--colour:${colours[key]}` : null,
            title: `${title}: ${note || "imported"}`, onclick: () => toggle(key)}, el("i", {"aria-hidden": "true"}), title);
        at("shown").replaceChildren(...[...known, ...extra].map(button));
        const listed = told.spaces?.map((one) => ({value: one.key, label: one.title})) || [];
        if (listed.length) setProps({type: "control", page: PAGE, key: "focus"}, {data: listed, value: told.focus});
    }

    function toggle(key) {
        // A link may name what is not here: once something else is chosen, that is let go.
        const keys = now.told ? chosen() : [], left = keys.filter((one) => one !== key);
        if (left.length === keys.length && keys.length >= MOST) return loupe.notify({kind: "info", title: "Four at most", message: `${MOST} models stand side by side.`, hint: "Leave one out first."});
        const next = left.length === keys.length ? [...keys, key] : left;
        if (next.length) set("spaces", next.join(","));
        return null;
    }

    /** One line under the toolbar: what is wrong. */
    function tell(text) {
        const line = at("said");
        if (!line) return;
        line.hidden = !text;
        line.textContent = text;
    }

    function run() {
        if (!isHere() || !now.told || !values || now.told.spaces.map((one) => one.key).join() !== [...new Set(chosen())].join()) return;
        steps.forEach((step) => step(values, now.told));
    }

    document.addEventListener("click", (event) => {
        if (isHere() && event.target.closest?.(`#${PAGE}-again`)) set("seed", (Number(value("seed")) + 1) % 1_000_000);
    });
    document.addEventListener("loupe:retry", ({detail}) => {
        if (!isHere() || !detail.cardId.startsWith(PAGE)) return;
        leavers.forEach((leave) => leave(detail.cardId.replace(`${PAGE}-`, "")));
        if (now.told) run();
        else question(true);
    });
    if (loupe.theme) loupe.theme.onChange(() => { if (isHere()) document.dispatchEvent(new CustomEvent("loupe:gap-theme")); });

    loupe.gapPage = {onShow: (step) => steps.add(step), onLeave: (leave) => leavers.add(leave), run, again: () => question(true), chosen, toggle};
    window.dash_clientside = Object.assign({}, window.dash_clientside, {gap: {visit, ask, show}});
})(window.loupe);
