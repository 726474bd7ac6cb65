/* The page of the team: users, invitations, the log of changes. Each list is fetched, drawn as text, and
   fetched again after a change. */
window.loupe = window.loupe || {};
window.dash_clientside = window.dash_clientside || {};

(function () {
  const el = (...all) => window.loupe.dom.el(...all);
  const ROLES = ["viewer", "annotator", "analyst", "admin"];
  const place = (name) => document.getElementById(`team-${name}`);

  function say(name, text, tone = "") {
    const node = place(`${name}-said`);
    node.textContent = text;
    node.dataset.tone = tone;
  }

  /** JSON of our own server; a refusal is said beside the form and gives null. */
  async function ask(name, url, body) {
    const options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    const answer = await fetch(url, options).catch(() => null);
    const told = await answer?.json().catch(() => null);
    if (answer?.ok) return told;
    say(name, told ? `${told.message} ${told.hint || ""}` : "The server does not answer.", "bad");
    return null;
  }

  function table(name, heads, rows, empty) {
    const head = el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)));
    const body = rows.length ? rows : [el("tr", {}, el("td", { colspan: String(heads.length) }, empty))];
    place(name).replaceChildren(el("table", { class: "team-table" }, el("thead", {}, head), el("tbody", {}, ...body)));
  }

  const button = (text, onclick, label) => el("button", { type: "button", class: "lp-btn lp-btn-sm", onclick, "aria-label": label }, text);

  async function change(name, body, said) {
    if (await ask("users", `/_team/users/${encodeURIComponent(name)}`, body)) say("users", said);
    await users();
    await changes();
  }

  function userRow(user) {
    const roles = el("select", { class: "lp-field", "aria-label": `Role of ${user.name}`, onchange: (event) => change(user.name, { role: event.target.value }, `${user.name} is now ${event.target.value}.`) },
      ...ROLES.map((role) => el("option", { value: role, selected: role === user.role }, role)));
    const password = button("Password…", () => {
      const fresh = window.prompt(`A new password for ${user.name}, at least 10 characters. It logs ${user.name} out.`);
      if (fresh) change(user.name, { password: fresh }, `The password of ${user.name} is changed.`);
    }, `Change the password of ${user.name}`);
    const off = user.is_disabled;
    const toggle = button(off ? "Let in" : "Shut out", () => change(user.name, { is_disabled: !off }, `${user.name} ${off ? "may log in again" : "is logged out and shut out"}.`), `${off ? "Let in" : "Shut out"} ${user.name}`);
    return el("tr", { "data-off": off }, el("td", {}, user.name), el("td", {}, roles), el("td", {}, user.item_sets.join(", ") || "all"),
      el("td", {}, window.loupe.dom.moment(user.created_at)), el("td", {}, password, " ", toggle));
  }

  async function users() {
    const told = await ask("users", "/_team/users");
    if (told) table("users", ["Name", "Role", "Sets", "Since", ""], told.users.map(userRow), "Nobody yet.");
  }

  async function invites() {
    const told = await ask("invites", "/_invites");
    if (!told) return;
    const rows = told.invites.map((one) => el("tr", { "data-off": !one.is_open }, el("td", {}, one.name),
      el("td", {}, new URLSearchParams(one.query).get("set") || ""), el("td", {}, window.loupe.dom.moment(one.expires_at)),
      el("td", {}, one.is_open ? button("Take back", async () => {
        if (await ask("invites", `/_invites/${one.id}/revoke`, {})) say("invites", `The link of ${one.name} opens nothing any more.`);
        await invites();
      }, `Take the invitation of ${one.name} back`) : "")));
    table("invites", ["Annotator", "Set", "Until", ""], rows, "Nobody is invited.");
  }

  async function changes() {
    const told = await ask("changes", "/_team/audit");
    if (!told) return;
    const rows = told.changes.map((one) => el("tr", {}, el("td", {}, window.loupe.dom.moment(one.at)), el("td", {}, one.who), el("td", {}, one.action), el("td", {}, one.target)));
    table("changes", ["When", "Who", "What", "About"], rows, "Nothing was changed.");
  }

  function submitted(form, name, send) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      say(name, "…");
      if (await send(Object.fromEntries(new FormData(form)))) form.reset();
    });
  }

  const field = (text, attributes) => el("label", {}, text, el("input", { class: "lp-field", autocomplete: "off", ...attributes }));
  const choice = (text, name, options) => el("label", {}, text, el("select", { class: "lp-field", name }, ...Object.entries(options).map(([value, shown]) => el("option", { value }, shown))));

  function userForm() {
    const form = el("form", { class: "team-form" }, field("Name", { name: "name", required: true, maxlength: "64" }),
      choice("Role", "role", Object.fromEntries(ROLES.map((role) => [role, role]))),
      field("Password, at least 10 characters", { name: "password", type: "password", autocomplete: "new-password", minlength: "10" }),
      el("button", { class: "lp-btn lp-btn-main" }, "Add"));
    submitted(form, "users", async (values) => {
      const made = await ask("users", "/_team/users", values);
      if (made) { say("users", `${made.user.name} is added.`); await users(); await changes(); }
      return made;
    });
    place("users-form").replaceChildren(form);
  }

  async function inviteForm() {
    const told = await ask("invites", "/_crayon/sets");
    const sets = Object.fromEntries((told?.sets || []).map((one) => [one.key, one.title]));
    const form = el("form", { class: "team-form" }, field("Annotator", { name: "name", required: true, maxlength: "40" }), choice("Set", "set", sets),
      choice("About", "step", { maps: "maps", neurons: "neurons" }), field("Days", { name: "days", type: "number", min: "1", max: "365", value: "14" }),
      el("button", { class: "lp-btn lp-btn-main" }, "Make a link"));
    submitted(form, "invites", async (values) => {
      const made = await ask("invites", "/_invites", { name: values.name, view: { set: values.set, step: values.step }, days: Number(values.days) });
      if (made) { say("invites", `The link, shown this once: ${made.url}`); await invites(); }
      return made;
    });
    place("invites-form").replaceChildren(form);
  }

  function mounted() {
    if (!place("users")) return window.dash_clientside.no_update;
    userForm();
    inviteForm();
    users();
    invites();
    changes();
    return window.dash_clientside.no_update;
  }

  window.dash_clientside.loupe_team = { mounted };
})();
