// The page of `countersign receive --web`. All text from guests is set as text, never as markup.
"use strict";

const byId = (id) => document.getElementById(id);
const EVERY = 1000;
const ROWS = 500;

let boots = [];
let notices = [];
let chosen = null;
// Until somebody chooses, the newest boot is shown.
let follow = true;
let after = 0;
let asked = "";
let rows = [];

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function seconds(ms) {
  return ms < 10000 ? (ms / 1000).toFixed(3) + " s" : (ms / 1000).toFixed(1) + " s";
}

// Replaces the children only where something changed, so that focus and selection stay.
function show(parent, key, make) {
  const text = JSON.stringify(key);
  if (parent.dataset.key === text) return;
  parent.dataset.key = text;
  parent.replaceChildren(...make());
}

function options(id, values, any) {
  const select = byId(id);
  const sorted = [...new Set(values.filter((value) => value && value !== "-"))].sort();
  if (select.value && !sorted.includes(select.value)) sorted.push(select.value);
  show(select, sorted, () => {
    const kept = select.value;
    const made = [["", any], ...sorted.map((value) => [value, value])].map(([value, text]) => {
      const option = element("option", text);
      option.value = value;
      option.selected = value === kept;
      return option;
    });
    return made;
  });
}

function word(boot) {
  if (boot.outcome === "failed") return "failed with " + (boot.cause ? boot.cause.code : "no code");
  if (boot.silent) return "silent";
  return boot.outcome === "running" ? "workload started" : "starting" + (boot.stage ? ": " + boot.stage : "");
}

function list() {
  const guest = byId("guest").value;
  const shown = boots.filter((boot) => !guest || boot.host === guest).reverse();
  if (follow && shown.length) chosen = shown[0].boot;
  const key = shown.map((boot) => [boot.boot, word(boot), boot.missing, boot.imitations, boot.boot === chosen]);
  const list = byId("boots");
  const focused = document.activeElement && document.activeElement.dataset.boot;
  show(list, key, () => shown.map((boot) => {
    const button = element("button", boot.host + " ", boot.silent ? "silent" : boot.outcome);
    button.type = "button";
    button.dataset.boot = boot.boot;
    button.setAttribute("aria-current", String(boot.boot === chosen));
    button.append(element("small", "boot " + boot.boot + ", " + boot.began.slice(0, 19).replace("T", " ")), element("small", word(boot)));
    if (boot.missing) button.append(element("small", boot.missing + " records missing", "word-warning"));
    if (boot.imitations) button.append(element("small", boot.imitations + " imitations", "word-warning"));
    button.addEventListener("click", () => choose(boot.boot));
    const item = element("li");
    item.append(button);
    return item;
  }));
  if (focused && !list.contains(document.activeElement)) {
    const again = list.querySelector(`[data-boot="${Number(focused)}"]`);
    if (again) again.focus();
  }
}

function choose(boot) {
  chosen = boot;
  follow = false;
  draw();
  ask();
}

function explained(kind, code, text, cause, remedy) {
  const item = element("li", undefined, "is-" + kind);
  const line = element("p");
  line.append(element("span", code + " ", "word-" + kind), document.createTextNode(text));
  item.append(line);
  if (cause) item.append(element("p", "Why: " + cause, "faint"));
  if (remedy) item.append(element("p", "Do: " + remedy));
  return item;
}

function detail(boot) {
  byId("title").textContent = boot.host + ", boot " + boot.boot;
  document.title = boot.host + ": " + word(boot);
  show(byId("outcome"), [word(boot), boot.cause], () => {
    const made = [element("strong", word(boot), boot.outcome === "failed" ? "word-failed" : boot.silent ? "word-warning" : "")];
    if (boot.outcome === "failed" && boot.cause) made.push(element("span", ". " + boot.cause.text + ". " + boot.cause.remedy));
    return made;
  });
  const facts = [
    ["Began", boot.began], ["Last record", boot.last], ["Records", boot.records],
    ["Missing", boot.missing ? boot.missing + " (" + boot.stretches.map(([a, b]) => a === b ? a : a + " to " + b).join(", ") + ")" : "none"],
    ["Came again", boot.repeats], ["Checks", boot.checks ? boot.checks + ", the last is " + boot.last_check : "none yet"],
    ["Contract", boot.contract || "not told yet"], ["Signer", boot.signer || "none told"], ["Client certificate", boot.client || "not told"],
  ];
  show(byId("facts"), facts, () => facts.flatMap(([name, value]) => [element("dt", name), element("dd", String(value))]));
  const stages = boot.timeline.stages;
  const end = Math.max(1, ...stages.map((bar) => bar.started_ms + bar.ms));
  show(byId("timeline").tBodies[0], stages, () => stages.map((bar) => {
    const row = element("tr");
    const track = element("div", undefined, "track");
    const drawn = element("div", undefined, "bar " + bar.place + " is-" + bar.state);
    drawn.style.left = (100 * bar.started_ms / end) + "%";
    drawn.style.width = (100 * bar.ms / end) + "%";
    track.append(drawn);
    track.setAttribute("aria-hidden", "true");
    const state = bar.state + (bar.code ? " " + bar.code : "");
    const last = element("td", undefined, "wide");
    last.append(track);
    row.append(element("th", bar.stage), element("td", bar.place === "initramfs" ? "initramfs" : "guest OS"),
      element("td", state, "word-" + bar.state), element("td", seconds(bar.started_ms)), element("td", seconds(bar.ms)), last);
    row.firstChild.scope = "row";
    return row;
  }));
  show(byId("warnings"), boot.warnings, () => boot.warnings.length
    ? boot.warnings.map((said) => explained(said.code.endsWith("E") ? "error" : "warning", said.code, said.text, said.cause, said.remedy))
    : [element("li", "none", "is-info")]);
}

function draw() {
  options("guest", boots.map((boot) => boot.host), "all guests");
  list();
  const boot = boots.find((one) => one.boot === chosen);
  if (boot) detail(boot);
  const own = notices.filter((one) => one.boot === 0 || one.boot === chosen).slice(-100).reverse();
  show(byId("notices"), own, () => own.length
    ? own.map((one) => explained(one.weight, one.time.slice(0, 19).replace("T", " ") + " " + one.host, one.text, "", one.weight === "info" ? "" : one.remedy))
    : [element("li", "nothing", "is-info")]);
}

function row(record) {
  const made = element("tr");
  const from = record.container ? "container " + record.container : record.origin === "guest" ? "guest" : record.origin + (record.app ? " " + record.app : "");
  const who = element("td", from);
  if (record.imitation) who.append(element("span", " imitates the guest", "word-imitation"));
  made.append(element("td", record.time.slice(11, 23)), who, element("td", record.code), element("td", record.text, "wide"));
  return made;
}

async function get(path) {
  const answer = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

async function records() {
  const wanted = ["stage", "code", "container"].map((id) => id + "=" + encodeURIComponent(byId(id).value));
  if (chosen !== null) wanted.push("boot=" + chosen);
  const query = wanted.join("&");
  if (query !== asked) {
    asked = query;
    after = 0;
    rows = [];
    byId("records").tBodies[0].replaceChildren();
  }
  const answer = await get("records?after=" + after + "&" + query);
  if (query !== asked) return;
  after = answer.last;
  rows.push(...answer.records);
  const body = byId("records").tBodies[0];
  for (const record of answer.records) body.prepend(row(record));
  while (body.rows.length > ROWS) body.lastChild.remove();
  rows = rows.slice(-ROWS);
  for (const id of ["stage", "code", "container"]) options(id, rows.map((record) => record[id]).concat(id === "container" ? containers() : []), "any");
}

function containers() {
  const boot = boots.find((one) => one.boot === chosen);
  return boot ? boot.containers : [];
}

let asking = false;
async function ask() {
  if (asking) return;
  asking = true;
  try {
    const state = await get("state");
    boots = state.boots;
    notices = state.notices;
    draw();
    await records();
    byId("link").textContent = "live";
  } catch (error) {
    byId("link").textContent = "no connection to the receiver; what is shown is old";
  } finally {
    asking = false;
  }
}

// Up and down in the list of boots.
byId("boots").addEventListener("keydown", (event) => {
  const buttons = [...byId("boots").querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  const button = buttons[Math.min(Math.max(to, 0), buttons.length - 1)];
  button.focus();
});
byId("filters").addEventListener("submit", (event) => event.preventDefault());
for (const id of ["stage", "code", "container"]) byId(id).addEventListener("change", ask);
byId("guest").addEventListener("change", () => { follow = true; draw(); ask(); });
ask();
setInterval(ask, EVERY);
