// The page: a card for each site, a tile for each pod, moved by the server's events.

const SHAPES = {
  yellow: "M12 2.5 23 21.5H1z",
  green: "M12 1.5a10.5 10.5 0 1 1 0 21 10.5 10.5 0 0 1 0-21z",
  red: "M2.5 2.5h19v19h-19z",
};
// Of colours of one's own: which one, and in what order they are tried, says colours.py too.
const OTHER_SHAPES = [
  "M12 1 23 12 12 23 1 12z",
  "M1 2.5h22L12 21.5z",
  "M6.5 2.5h11L23 12l-5.5 9.5h-11L1 12z",
  "M12 1.5 22.5 9.1 18.5 21.5h-13L1.5 9.1z",
  "M8 1.5h8V8h6.5v8H16v6.5H8V16H1.5V8H8z",
];
const SETTLED = new Set(["Serving", "ScaledToZero"]);
const SYMBOLS = { good: "✓", waiting: "↻", bad: "!" };
const MOST_TILES = 60;
const MOST_POINTS = 40;
const VERDICTS = { Passed: "✓", Failed: "!", Unknown: "?" };

const $ = (id) => document.getElementById(id);
const cards = new Map();

// -- making elements --

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawing(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// -- colours --

const taken = new Map();

function shapeOf(colour) {
  if (colour in SHAPES) return SHAPES[colour];
  if (!taken.has(colour)) {
    const first = [...colour].reduce((sum, letter) => sum + letter.codePointAt(0), 0);
    const places = OTHER_SHAPES.map((_, step) => (first + step) % OTHER_SHAPES.length);
    const used = new Set(taken.values());
    taken.set(colour, places.find((place) => !used.has(place)) ?? places[0]);
  }
  return OTHER_SHAPES[taken.get(colour)];
}

const brush = document.createElement("canvas").getContext("2d");

// Draws in the version's colour; one that CSS does not know stays as the style sheet has it.
function paint(shown, colour) {
  shown.dataset.colour = colour;
  const own = colour && !(colour in SHAPES) && CSS.supports("color", colour);
  if (!own) {
    shown.style.removeProperty("--band");
    shown.style.removeProperty("--ink");
    return shown;
  }
  brush.fillStyle = colour;
  const [red, green, blue] = [1, 3, 5].map((place) => parseInt(brush.fillStyle.slice(place, place + 2), 16) / 255);
  const linear = (channel) => (channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4);
  const luminance = 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  shown.style.setProperty("--band", colour);
  shown.style.setProperty("--ink", luminance > 0.179 ? "#000000" : "#ffffff");
  return shown;
}

function version(number, colour) {
  if (!number) return element("span", { class: "quiet" }, "no version yet");
  const shape = drawing("path", { d: shapeOf(colour), fill: "var(--band)", stroke: "var(--edge)" });
  const icon = drawing("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, shape);
  return paint(element("span", { class: "version" }, icon, `${number} ${colour}`), colour);
}

// Keep what is there, by key: only what is new comes in and only what is gone goes.
function reconcile(list, desired, key, make, update) {
  const existing = new Map([...list.children].filter((each) => !each.classList.contains("gone")).map((each) => [each.dataset.key, each]));
  desired.forEach((each, place) => {
    const found = existing.get(key(each));
    const shown = found ?? make(each);
    shown.dataset.key = key(each);
    existing.delete(key(each));
    update(shown, each);
    if (!found) list.insertBefore(shown, list.children[place] ?? null);
  });
  for (const gone of existing.values()) leave(gone);
}

function leave(shown) {
  if (!shown.classList.contains("pod") || matchMedia("(prefers-reduced-motion: reduce)").matches) return shown.remove();
  shown.classList.add("gone");
  shown.addEventListener("animationend", () => shown.remove());
}

// -- a pod, a ReplicaSet, a site --

function makePod(pod) {
  const short = pod.version.replace(/(\.0){1,2}$/, "") || "?";
  const middle = pod.colour === "yellow" ? 15.5 : 12.3;
  const size = [11, 10, 7.5, 6.5, 5.5][Math.min(short.length, 5) - 1];
  const tile = drawing(
    "svg",
    { viewBox: "0 0 24 24", role: "img" },
    drawing("path", { class: "shape", d: shapeOf(pod.colour) }),
    drawing("text", { x: 12, y: middle, "font-size": size }, short),
    drawing("path", { class: "cross", d: "M3 21 21 3" }),
    drawing("g", { class: "badge" }, drawing("circle", { cx: 21, cy: 4, r: 5 }), drawing("text", { x: 21, y: 4.2 }, "!")),
  );
  const name = element("code", { "aria-hidden": "true" }, pod.name.slice(pod.name.lastIndexOf("-") + 1));
  return paint(element("li", { class: "pod" }, tile, name, element("span", { class: "why" })), pod.colour);
}

function updatePod(shown, pod) {
  const restarts = pod.restarts ? `, ${pod.restarts} restarts` : "";
  const label = `${pod.name}: ${pod.version} ${pod.colour}, ${pod.reason}${restarts}, on ${pod.node || "no node"}`;
  shown.dataset.state = pod.state;
  shown.title = label;
  shown.querySelector("svg").setAttribute("aria-label", label);
  shown.querySelector(".why").textContent = pod.state === "failing" ? pod.reason : "";
}

function makeSet(set) {
  const head = element("div", { class: "set-head" }, version(set.version, set.colour), element("span", { class: "count" }), element("code", {}, set.name));
  return element("li", { class: "set" }, head, element("ul", { class: "pods" }), element("span", { class: "more" }));
}

function updateSet(shown, set) {
  shown.querySelector(".count").textContent = `${set.ready} of ${set.wanted} ready`;
  reconcile(shown.querySelector(".pods"), set.pods.slice(0, MOST_TILES), (pod) => pod.uid, makePod, updatePod);
  const hidden = set.pods.length - MOST_TILES;
  shown.querySelector(".more").textContent = hidden > 0 ? `and ${hidden} more pods` : "";
}

function makeSite(site) {
  return element(
    "article",
    { class: "site", "data-colour": "" },
    element("div", { class: "top" }, element("h2", {}, site.name), element("span", { class: "reason" }, element("b"), " ", element("span"))),
    element("div", { class: "way" }),
    element("p", { class: "message" }),
    makeTrial(),
    makeTrack(),
    makeTrack(),
  );
}

function makeTrack() {
  const row = element("div", { class: "deployment" }, element("span"), element("progress"), element("span"));
  return element("div", { class: "track" }, row, element("ul", { class: "sets" }));
}

function updateSite(card, site) {
  const health = healthOf(site);
  card.dataset.health = health;
  paint(card, site.colour);
  card.dataset.words = [site.namespace, site.name, site.city, site.version, site.colour, site.wanted_version, site.reason].join(" ").toLowerCase();
  card.querySelector(".reason b").textContent = SYMBOLS[health];
  card.querySelector(".reason span").textContent = (site.reason || "no status yet") + (site.current ? "" : ", spec not seen yet");
  const target = site.wanted_version && site.wanted_version !== site.version ? [element("span", {}, `→ ${site.wanted_version}`)] : [];
  const place = element("span", { class: "quiet" }, `${site.namespace} · ${site.city}`);
  card.querySelector(".way").replaceChildren(place, version(site.version, site.colour), ...target);
  const message = card.querySelector(".message");
  message.textContent = site.message;
  message.hidden = SETTLED.has(site.reason) || !site.message;
  updateTrial(card, site);
  const [stable, canary] = card.querySelectorAll(".track");
  updateTrack(stable, site.deployment, site.canary ? "Stable" : "Deployment");
  canary.hidden = !site.canary;
  updateTrack(canary, site.canary, "Canary");
}

function updateTrack(track, deployment, title) {
  const row = track.querySelector(".deployment");
  const [name, counts] = row.querySelectorAll("span");
  const bar = row.querySelector("progress");
  bar.hidden = !deployment;
  name.textContent = deployment ? title : "no Deployment";
  counts.textContent = deployment ? `${deployment.updated} of ${deployment.wanted} updated, ${deployment.available} available` : "";
  const sets = deployment?.replica_sets.filter((set) => set.wanted || set.pods.length) ?? [];
  if (deployment) {
    bar.max = Math.max(deployment.wanted, 1);
    bar.value = deployment.updated;
    bar.ariaLabel = counts.textContent;
  }
  reconcile(track.querySelector(".sets"), sets, (set) => set.uid, makeSet, updateSet);
}

function healthOf(site) {
  const sets = [site.deployment, site.canary].flatMap((track) => track?.replica_sets ?? []);
  const pods = sets.flatMap((set) => set.pods);
  if (site.stalled || pods.some((pod) => pod.state === "failing")) return "bad";
  return SETTLED.has(site.reason) && site.current ? "good" : "waiting";
}

// -- a revision that is tried --

// A point for each interval of a trial, for as long as this page is open.
const histories = new Map();

function makeTrial() {
  const share = drawing(
    "svg",
    { class: "share", viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img" },
    drawing("rect", { class: "stable", width: 100, height: 10 }),
    drawing("rect", { class: "canary", height: 10 }),
    drawing("path", { class: "observed", d: "M0 0v10", "vector-effect": "non-scaling-stroke" }),
  );
  return element("section", { class: "trial", hidden: "", "aria-label": "Trial" }, element("p", { class: "where" }), share, element("p", { class: "weights" }), element("ul", { class: "checks" }));
}

function updateTrial(card, site) {
  const shown = card.querySelector(".trial");
  const trial = site.trial;
  shown.hidden = !trial;
  if (!trial) return histories.delete(card.dataset.key);
  const step = trial.step ? `step ${trial.step} of ${trial.steps}` : "no visitors yet";
  shown.querySelector(".where").replaceChildren(version(trial.version, trial.colour), ` ${trial.strategy}, ${step}`);
  updateShare(shown, site, trial);
  const history = remember(card.dataset.key, trial);
  reconcile(shown.querySelector(".checks"), trial.checks, (check) => check.name, makeCheck, (row, check) => updateCheck(row, check, history));
}

function updateShare(shown, site, trial) {
  const share = shown.querySelector(".share");
  const [stable, canary] = share.querySelectorAll("rect");
  const observed = share.querySelector(".observed");
  stable.dataset.colour = site.colour;
  canary.dataset.colour = trial.colour;
  canary.setAttribute("width", trial.set ?? 0);
  observed.setAttribute("transform", `translate(${trial.observed ?? 0})`);
  observed.toggleAttribute("hidden", trial.observed === null);
  const set = trial.set === null ? `${trial.desired ?? 0} % wanted, not set yet` : `${trial.set} % set`;
  const seen = trial.observed === null ? "" : `, ${trial.observed} % observed of ${trial.requests.toLocaleString("en")} requests`;
  shown.querySelector(".weights").textContent = set + seen;
  share.setAttribute("aria-label", `Share of the visitors: ${set}${seen}`);
}

function remember(key, trial) {
  let known = histories.get(key);
  if (known?.revision !== trial.revision) known = { revision: trial.revision, interval: "", points: [] };
  histories.set(key, known);
  if (trial.checks.length && trial.interval !== known.interval) {
    known.interval = trial.interval;
    known.points = [...known.points, Object.fromEntries(trial.checks.map((check) => [check.name, check]))].slice(-MOST_POINTS);
  }
  return known.points;
}

function makeCheck(check) {
  const chart = drawing("svg", { class: "chart", viewBox: "0 0 120 28", role: "img" }, drawing("path", { class: "bound" }), drawing("path", { class: "line" }), drawing("g"));
  return element("li", { class: "check" }, element("b"), element("span", { class: "check-name" }, check.name), chart, element("span", { class: "value" }));
}

function updateCheck(row, check, history) {
  row.dataset.verdict = check.verdict;
  row.title = check.message;
  row.querySelector("b").textContent = VERDICTS[check.verdict];
  const bound = check.threshold === null ? "" : ` (bound ${short(check.threshold)})`;
  row.querySelector(".value").textContent = (check.value === null ? check.verdict : short(check.value)) + bound;
  draw(row.querySelector(".chart"), check, history.map((point) => point[check.name]));
}

const short = (number) => String(Number(number.toPrecision(4)));

function draw(chart, check, points) {
  const numbers = [...points.map((point) => point?.value), check.threshold].filter((value) => Number.isFinite(value));
  const low = Math.min(...numbers);
  const high = Math.max(...numbers);
  const x = (place) => 4 + (112 * place) / Math.max(points.length - 1, 1);
  const y = (value) => (high === low ? 14 : 24 - (20 * (value - low)) / (high - low));
  const known = points.map((point, place) => ({ point, place })).filter(({ point }) => Number.isFinite(point?.value));
  const [bound, line] = chart.querySelectorAll("path");
  bound.setAttribute("d", Number.isFinite(check.threshold) ? `M0 ${y(check.threshold)}H120` : "");
  line.setAttribute("d", known.map(({ point, place }, first) => `${first ? "L" : "M"}${x(place)} ${y(point.value)}`).join(""));
  const dots = known.map(({ point, place }) => drawing("circle", { cx: x(place), cy: y(point.value), r: point.verdict === "Failed" ? 3.2 : 1.8, "data-verdict": point.verdict }));
  chart.querySelector("g").replaceChildren(...dots);
  const failed = points.filter((point) => point?.verdict === "Failed").length;
  chart.setAttribute("aria-label", `${check.name}: ${check.verdict}, ${failed} of the last ${points.length} intervals failed`);
}

// -- all of them --

function put(site) {
  const key = `${site.namespace}/${site.name}`;
  let card = cards.get(key);
  if (!card) {
    card = makeSite(site);
    cards.set(key, card);
    card.dataset.key = key;
    const after = [...$("sites").children].find((other) => other.dataset.key > key);
    $("sites").insertBefore(card, after ?? null);
  }
  updateSite(card, site);
}

function filter() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const which = document.querySelector("#filter :checked").value;
  const health = { changing: "waiting", failing: "bad" }[which];
  const counts = { waiting: 0, bad: 0 };
  let shown = 0;
  for (const card of cards.values()) {
    counts[card.dataset.health] += 1;
    card.hidden = !((!health || card.dataset.health === health) && words.every((word) => card.dataset.words.includes(word)));
    shown += !card.hidden;
  }
  $("all").textContent = cards.size;
  $("changing").textContent = counts.waiting;
  $("failing").textContent = counts.bad;
  $("none").hidden = shown > 0;
  $("none").textContent = cards.size ? "No site is like that." : "There is no WeatherApp yet: kubectl apply -f examples/london.yaml";
}

function showConnection(state, text) {
  $("link").dataset.state = state;
  $("link").textContent = text;
}

const events = new EventSource("events");
events.addEventListener("start", (event) => {
  $("place").textContent = JSON.parse(event.data).place;
  $("sites").replaceChildren();
  cards.clear();
});
events.addEventListener("update", (event) => {
  const update = JSON.parse(event.data);
  update.apps.forEach(put);
  for (const key of update.deleted) {
    cards.get(key)?.remove();
    cards.delete(key);
    histories.delete(key);
  }
  update.error ? showConnection("stale", `not up to date: ${update.error}`) : showConnection("live", "live");
  filter();
});
events.addEventListener("error", () => showConnection("lost", "lost: is the command still running?"));

$("search").addEventListener("input", filter);
$("filter").addEventListener("change", filter);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target !== $("search")) {
    event.preventDefault();
    $("search").focus();
  }
});
