"use strict";
const PACE = 100, AT_ONCE = 6, GIVE_UP = 5000, WINDOW = 200, SHOWN_PODS = 12, TELL_AFTER = 5000, TELL_FROM = 20, NOTABLE = .1;
const language = document.documentElement.lang;
const percent = new Intl.NumberFormat(language, {style: "percent"}), whole = new Intl.NumberFormat(language, {maximumFractionDigits: 0});
const find = selector => document.querySelector(selector);
const board = find(".board"), cards = find(".versions"), grid = find(".tiles"), form = find(".faults form");
const {badge, faults, unanswered, count} = board.dataset;
const cross = "data:image/svg+xml," + encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect x="1" y="1" width="30" height="30" rx="7" fill="#111" stroke="#fff" stroke-width="2"/><path d="M9 9l14 14M23 9 9 23" stroke="#fff" stroke-width="4"/></svg>');
const recent = [], versions = new Map();
let sent = 0, pending = 0, shown = -1, told = new Map(), toldAt = -TELL_AFTER;

async function ask() {
  const began = performance.now(), answer = {name: unanswered, picture: cross, band: "#111", edge: "#111", pod: "", failed: true};
  try {
    const response = await fetch(`${badge}?n=${sent + pending}`, {cache: "no-store", signal: AbortSignal.timeout(GIVE_UP)});
    const header = name => response.headers.get(`X-App-${name}`), version = header("Version");
    const text = await response.text();
    if (version) Object.assign(answer, {name: `v${version} ${header("Colour")}`, version, pod: header("Pod") || ""});
    if (response.ok) {
      const rect = new DOMParser().parseFromString(text, "image/svg+xml").querySelector("rect");
      Object.assign(answer, {failed: false, picture: "data:image/svg+xml," + encodeURIComponent(text), band: rect.getAttribute("fill"), edge: rect.getAttribute("stroke")});
    }
  } catch {}
  answer.milliseconds = performance.now() - began;
  return answer;
}

function tile(number) {
  if (!grid.children[number]) {
    const item = document.createElement("li"), image = document.createElement("img");
    image.width = image.height = 48;
    item.append(image);
    grid.append(item);
  }
  return grid.children[number].firstChild;
}

function record(answer) {
  const image = tile(sent++ % +grid.dataset.size);
  image.src = answer.picture;
  image.alt = answer.failed ? `${answer.name}, ${grid.dataset.failed}` : answer.name;
  find(".latest")?.classList.remove("latest");
  image.classList.add("latest");
  recent.push(answer);
  if (recent.length > WINDOW) recent.shift();
  if (!versions.has(answer.name)) versions.set(answer.name, card(answer));
  const version = versions.get(answer.name);
  version.answers++;
  if (answer.failed) version.failures++;
  else version.paint(answer);
}

function card({name, version}) {
  const item = find("#card").content.cloneNode(true).firstElementChild;
  const part = name => item.querySelector(`[data-part=${name}]`);
  const entry = {version, item, part, answers: 0, failures: 0, paint({picture, band, edge}) {
    part("badge").src = picture;
    part("bar").setAttribute("fill", band);
    part("bar").setAttribute("stroke", edge);
  }};
  part("name").textContent = name;
  part("badge").src = cross;
  if (!version) part("details").remove();
  const later = [...versions].find(([other, {version: seen}]) => !seen || version && other.localeCompare(name, "en", {numeric: true}) > 0);
  cards.insertBefore(item, later ? later[1].item : null);
  if (version && form && ![...form.version.options].some(option => option.value === version)) form.version.add(new Option(name, version));
  return entry;
}

function within(sorted, share) {
  return sorted.length ? `${whole.format(sorted[Math.ceil(share * sorted.length) - 1])} ms` : "–";
}

function show() {
  if (shown === sent) return;
  shown = sent;
  board.hidden = false;
  find(".count").textContent = count.replace("{number}", whole.format(recent.length));
  const shares = new Map();
  for (const [name, {version, part, answers, failures}] of versions) {
    const own = recent.filter(answer => answer.name === name), share = own.length / recent.length;
    shares.set(name, share);
    part("share").textContent = percent.format(share);
    part("bar").setAttribute("width", `${100 * share}%`);
    if (!version) continue;
    const times = own.filter(answer => !answer.failed).map(answer => answer.milliseconds).sort((a, b) => a - b);
    part("answers").textContent = whole.format(answers);
    part("failures").textContent = whole.format(failures);
    part("median").textContent = within(times, .5);
    part("slowest").textContent = within(times, .95);
    const pods = new Map();
    for (const {pod} of own) if (pod) pods.set(pod, (pods.get(pod) || 0) + 1);
    const names = [...pods].sort().slice(0, SHOWN_PODS).map(([pod, number]) => {
      const item = document.createElement("li"), code = document.createElement("code");
      code.textContent = pod;
      item.append(code, ` ${percent.format(number / recent.length)}`);
      return item;
    });
    part("pods").replaceChildren(...names);
    part("pod-count").textContent = whole.format(pods.size);
  }
  tell(shares);
}

function tell(shares) {
  const notable = [...shares].some(([name, share]) => !told.has(name) || Math.abs(share - told.get(name)) >= NOTABLE);
  if (!notable || recent.length < TELL_FROM || performance.now() - toldAt < TELL_AFTER) return;
  [told, toldAt] = [shares, performance.now()];
  find(".told").textContent = [...shares].map(([name, share]) => `${name} ${percent.format(share)}`).join(", ");
}

const pause = find(".pause");
pause.onclick = () => pause.setAttribute("aria-pressed", pause.getAttribute("aria-pressed") !== "true");
setInterval(async () => {
  if (document.hidden || pending >= AT_ONCE || pause.getAttribute("aria-pressed") === "true") return;
  pending++;
  record(await ask());
  pending--;
}, PACE);
setInterval(show, 500);

async function setFaults(token, wanted, says) {
  const pods = () => new Set(recent.filter(answer => answer.version === wanted.version && answer.pod).map(answer => answer.pod)), done = new Set();
  const left = () => [...pods()].some(pod => !done.has(pod));
  let problem = "";
  for (let tries = 0; tries < 20 + 10 * pods().size && (!done.size || left()); tries++) {
    try {
      const response = await fetch(faults, {method: "POST", cache: "no-store", body: JSON.stringify(wanted), headers: {Authorization: `Bearer ${token}`, Accept: "application/json"}, signal: AbortSignal.timeout(GIVE_UP)});
      const answer = await response.json();
      if (response.ok) done.add(answer.pod);
      else problem = answer.detail;
      if ([400, 401, 403].includes(response.status)) break;
    } catch {
      problem = unanswered;
    }
    says(done.size, Math.max(pods().size, done.size), "");
  }
  says(done.size, Math.max(pods().size, done.size), left() || !done.size ? problem : "");
}

if (form) {
  const {errorRatePercent: rate, latencyMilliseconds: latency, version, token} = form, status = find(".faults [role=status]");
  const label = () => {
    for (const [range, text] of [[rate, percent.format(rate.value / 100)], [latency, `${whole.format(latency.value)} ms`]]) {
      range.nextElementSibling.textContent = text;
      range.setAttribute("aria-valuetext", text);
    }
  };
  form.oninput = label;
  form.off.onclick = () => {
    rate.value = latency.value = 0;
    label();
    form.requestSubmit();
  };
  form.onsubmit = event => {
    event.preventDefault();
    const wanted = {version: version.value, errorRatePercent: +rate.value, latencyMilliseconds: +latency.value};
    setFaults(token.value, wanted, (done, all, problem) => {
      status.textContent = `v${wanted.version}: ${form.dataset.done.replace("{done}", whole.format(done)).replace("{all}", whole.format(all))}${problem && ` ${problem}.`}`;
    });
  };
  label();
  find(".faults").hidden = false;
}
