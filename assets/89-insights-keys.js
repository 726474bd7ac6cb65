/* Insights: the keys of the page. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const {set, value, now} = loupe.insights;
    const add = (key, label, run, when) => loupe.keys.add({scope: "insights", key, label, run, when});
    add("j", "Next content", () => loupe.insightsList.next(1));
    add("k", "Previous content", () => loupe.insightsList.next(-1));
    add("1", "Overlay on or off: what helps", () => set("plus", !value("plus")));
    add("2", "Overlay on or off: what hurts", () => set("minus", !value("minus")));
    add("g", "Picture in grey, or in its colours", () => set("grey", !value("grey")));
    add("e", "Edit the text", () => document.querySelector("#insights-text textarea")?.focus());
    add("u", "Put the chosen phrase into the text", () => loupe.insightsContent.use(now.phrase), () => Boolean(now.phrase));
    add("b", "Pin the change to the brief", () => loupe.insightsBrief.pinEdit(), () => loupe.insights.isEdited());
    add("r", "Reset the edit", () => set("edit", ""), () => loupe.insights.isEdited());
    ["phrases", "patches", "together", "trust", "brief"].forEach((view, i) => add(`Alt+${i + 1}`, `Open: ${view}`, () => set("view", view)));
})(window.loupe);
