// Asks /live once a second while somebody looks, and /status when something has changed.

import { Chart } from "./chart.js";

const EVERY_MS = 1000;
const PATIENCE_MS = 5000;
const CALLS_BEFORE_STATUS = 10;

const find = (selector) => document.querySelector(selector);

function made(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// --- Words and numbers ---------------------------------------------------------------------

function count(value) {
  if (value >= 1e6) return value.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function time(seconds) {
  const [factor, unit] = seconds < 0.9995e-3 ? [1e6, "µs"] : seconds < 0.9995 ? [1e3, "ms"] : [1, "s"];
  const value = seconds * factor;
  return `${value < 9.95 ? Number(value.toFixed(1)) : Math.round(value)} ${unit}`;
}

function bytes(value) {
  for (const unit of ["B", "kB", "MB", "GB", "TB"]) {
    if (value < 999.5 || unit === "TB") return `${value < 9.95 ? Number(value.toFixed(1)) : Math.round(value)} ${unit}`;
    value /= 1000;
  }
  return "";
}

function span(seconds) {
  for (const [unit, name] of [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]]) {
    const whole = Math.floor(seconds / unit);
    if (whole || unit === 1) return `${whole} ${name}${whole === 1 ? "" : "s"}`;
  }
  return "";
}

const clock = (seconds) =>
  new Date(seconds * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

// --- Charts --------------------------------------------------------------------------------

const svg = (id) => find(`#${id} svg`);

const charts = {
  requests: new Chart(svg("requests"), { lines: ["a"], label: "requests per second", show: count, fill: true, least: 2 }),
  latency: new Chart(svg("latency"), { lines: ["a", "b", "c"], label: "median latency", show: time, log: true }),
  connections: new Chart(svg("connections"), { lines: ["a"], label: "open connections", show: count, fill: true, least: 2 }),
  errors: new Chart(svg("errors"), { lines: ["d", "e"], label: "client errors per second", show: count, least: 2 }),
};

function now(id, ...values) {
  find(`#${id} output`).textContent = values[0];
  find(`#${id}`).querySelectorAll(".legend b").forEach((b, number) => { b.textContent = values[number + 1]; });
}

// Between two bounds times are taken to be spread evenly on a logarithmic scale.
function percentile(counts, bounds, share) {
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (!total) return null;
  let left = share * total;
  for (let at = 0; at < counts.length; at += 1) {
    if (counts[at] && left <= counts[at]) {
      const low = at ? bounds[at - 1] : bounds[0] / 2;
      const high = at < bounds.length ? bounds[at] : bounds[at - 1];
      return low * (high / low) ** (left / counts[at]);
    }
    left -= counts[at];
  }
  return bounds.at(-1);
}

function plot(before, live) {
  const took = live.at - before.at;
  const rate = (of) => Math.max(0, of(live) - of(before)) / took;
  const requests = rate((l) => l.requests);
  const [clients, servers] = [2, 3].map((at) => rate((l) => l.responses[at]));
  const { bounds_s: bounds, counts } = live.latency;
  const lately = counts.map((n, at) => n - before.latency.counts[at]);
  const times = [0.5, 0.9, 0.99].map((share) => percentile(lately, bounds, share));
  charts.requests.add(live.at, [requests]);
  charts.latency.add(live.at, times);
  charts.connections.add(live.at, [live.connections]);
  charts.errors.add(live.at, [clients, servers]);
  const shown = times.map((value) => (value === null ? "–" : time(value)));
  now("requests", count(requests), bytes(rate((l) => l.bytes_sent)));
  now("latency", shown[0], ...shown);
  now("connections", count(live.connections), count(rate((l) => l.accepted)));
  now("errors", count(clients + servers), count(clients), count(servers));
}

const gap = (at) => Object.values(charts).forEach((chart) => chart.add(at, chart.lines.map(() => null)));

const draw = () => Object.values(charts).forEach((chart) => chart.draw());

// --- Sites ---------------------------------------------------------------------------------

const HEADINGS = [["Generation", ""], ["State", ""], ["Opened", ""], ["Entries", "number"], ["Size", "number"], ["Scripts", ""]];

function siteCard(site) {
  const reload = made("button", { type: "button" }, "Reload");
  reload.addEventListener("click", () => change(reload, "/reload", { site: site.name }));
  const head = made("div", { class: "site-head" }, made("h3", {}, site.name), made("p", {}, site.path));
  if (site.generations.length > 1) head.append(rollBack(site, site.generations[1].number));
  head.append(reload);
  const top = made("tr");
  for (const [heading, kind] of HEADINGS) top.append(made("th", { scope: "col", class: kind }, heading));
  const body = made("tbody");
  site.generations.forEach((generation) => {
    const row = made("tr", generation.in_force ? { class: "in-force" } : {});
    row.append(
      made("td", {}, String(generation.number)),
      made("td", {}, generation.in_force ? "in force" : "kept"),
      made("td", {}, made("time", { datetime: new Date(generation.loaded_at * 1000).toISOString() }, clock(generation.loaded_at))),
      made("td", { class: "number" }, count(generation.entries)),
      made("td", { class: "number" }, generation.bytes === null ? generation.kind : bytes(generation.bytes)),
      made("td", { class: "wide" }, generation.scripts.join(", ") || "none"),
    );
    body.append(row);
  });
  const table = made("table", { "aria-label": `Generations of ${site.name}` }, made("thead", {}, top), body);
  return made("section", { class: "card site", "aria-label": site.name }, head, made("div", { class: "scroll", tabindex: "0" }, table));
}

const UPSTREAM_HEADINGS = [["Upstream", ""], ["State", ""], ["Under way", "number"], ["Requests", "number"], ["Failed", "number"], ["Head after", "number"]];

function poolCard(pool) {
  const notes = [pool.site === null ? "of the process" : `of ${pool.site}`];
  if (pool.waiting) notes.push(`${count(pool.waiting)} waiting`);
  if (pool.breaker_open) notes.push("circuit breaker open");
  const head = made("div", { class: "site-head" }, made("h3", {}, `Pool ${pool.name}`), made("p", {}, notes.join(", ")));
  const top = made("tr");
  for (const [heading, kind] of UPSTREAM_HEADINGS) top.append(made("th", { scope: "col", class: kind }, heading));
  const body = made("tbody");
  for (const one of pool.upstreams) {
    const why = one.state !== "up" && one.last_error ? `${one.state}: ${one.last_error.message}` : one.state;
    const failed = Object.values(one.failures).reduce((sum, n) => sum + n, 0);
    body.append(made("tr", one.state === "up" ? { class: "in-force" } : {},
      made("td", {}, one.backup ? `${one.url} (backup)` : one.url),
      made("td", { class: "wide" }, why),
      made("td", { class: "number" }, count(one.in_flight)),
      made("td", { class: "number" }, count(one.requests)),
      made("td", { class: "number" }, count(failed)),
      made("td", { class: "number" }, one.mean_first_byte_s === null ? "–" : time(one.mean_first_byte_s)),
    ));
  }
  const table = made("table", { "aria-label": `Upstreams of ${pool.name}` }, made("thead", {}, top), body);
  return made("section", { class: "card site", "aria-label": `Pool ${pool.name}` }, head, made("div", { class: "scroll", tabindex: "0" }, table));
}

function rollBack(site, number) {
  const button = made("button", { type: "button", class: "strong" }, `Roll back to ${number}`);
  button.addEventListener("click", () => {
    const dialog = find("#confirm");
    find("#confirm-text").textContent =
      `Serve generation ${number} of ${site.name} again? Generation ${site.generation} is let go; the file on disk stays as it is.`;
    dialog.querySelector("form").onsubmit = (event) => {
      if (event.submitter.value === "yes") change(button, "/rollback", { site: site.name, from: site.generation });
    };
    dialog.showModal();
  });
  return button;
}

async function change(button, path, order) {
  button.disabled = true;
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Zeroserve-Admin": "1" },
      body: JSON.stringify(order),
    });
    const answer = await response.json();
    tell(response.ok ? `${answer.site}: generation ${answer.generation} is in force` : answer.error, !response.ok);
  } catch {
    tell("the server did not answer", true);
  }
  button.disabled = false;
  await refresh();
}

function tell(text, bad) {
  const notice = find("#notice");
  notice.textContent = text;
  notice.classList.toggle("bad", bad);
  notice.hidden = false;
}

let shownSites = "";

async function refresh() {
  const status = await ask("/status");
  // Who stands on a button should not lose it for nothing.
  const sites = JSON.stringify(status.sites);
  if (sites !== shownSites) {
    shownSites = sites;
    find("#sites").replaceChildren(...status.sites.map(siteCard));
  }
  find("#pools").hidden = !status.pools.length;
  find("#pools div").replaceChildren(...status.pools.map(poolCard));
  document.title = `${status.sites.map((site) => site.name).join(", ")} – zeroserve`;
  const where = status.listeners.map((listener) => listener.url).join(", ");
  const workers = `${status.workers.length} worker${status.workers.length === 1 ? "" : "s"}`;
  find("#about").textContent = `${status.version}, pid ${status.pid}, up ${span(status.uptime_s)}, ${workers}, ${where}`;
  const certificates = status.certificates.map((c) => made("li", {}, `${c.names.join(", ")}: until ${clock(c.expires_at)}`));
  find("#certificates").hidden = !certificates.length;
  find("#certificates ul").replaceChildren(...certificates);
  const lines = status.warnings.map((w) => made("li", {}, w.entry ? `${w.entry}: ${w.message}` : w.message));
  find("#warnings").replaceChildren(...lines);
}

function totals(live) {
  const rows = [
    ["Requests", count(live.requests)],
    ["Sent", bytes(live.bytes_sent)],
    ["Connections", count(live.accepted)],
    ["4xx", count(live.responses[2])],
    ["5xx", count(live.responses[3])],
    ["Scripts stopped", count(live.script_traps)],
    ["Reloads refused", count(live.reloads_failed)],
  ];
  find("#totals").replaceChildren(...rows.map(([name, value]) => made("div", {}, made("dt", {}, name), made("dd", {}, value))));
}

// --- Once a second -------------------------------------------------------------------------

async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

function state(text, kind) {
  const shown = find("#state");
  // Said aloud when it changes, not every second.
  if (shown.textContent !== text) shown.textContent = text;
  shown.className = `state ${kind}`;
}

let before = null;
let calls = 0;
let turn = 0;

// One at a time goes on: that of the present turn.
async function tick(own) {
  try {
    const live = await ask("/live");
    if (own !== turn) return;
    const other = !before || JSON.stringify(live.generations) !== JSON.stringify(before.generations) || live.reloads_failed !== before.reloads_failed || live.upstreams !== before.upstreams;
    if (other || calls % CALLS_BEFORE_STATUS === 0) await refresh();
    calls += 1;
    // A server that was started anew counts from zero.
    if (before && live.requests >= before.requests) plot(before, live);
    else gap(live.at);
    before = live;
    totals(live);
    draw();
    if (live.draining) state("draining", "warn");
    else state("serving", "good");
  } catch {
    if (own !== turn) return;
    before = null;
    state("no answer", "bad");
  }
  setTimeout(() => { if (own === turn) tick(own); }, EVERY_MS);
}

// Nobody looks: nothing is asked. What was between is a gap.
document.addEventListener("visibilitychange", () => {
  turn += 1;
  before = null;
  if (!document.hidden) tick(turn);
});
addEventListener("resize", draw);
if (!document.hidden) tick(turn);
