"use strict";
const grid = document.querySelector(".tiles"), list = document.querySelector(".counts dl");
const tiles = [...grid.querySelectorAll("img")], failed = list.dataset.failed, counts = new Map();
const cross = "data:image/svg+xml," + encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect x="1" y="1" width="30" height="30" rx="7" fill="#111" stroke="#fff" stroke-width="2"/><path d="M9 9l14 14M23 9 9 23" stroke="#fff" stroke-width="4"/></svg>');
let sent = 0;
async function fetchBadge() {
  try {
    const answer = await fetch(`${grid.dataset.badge}?n=${sent}`, {cache: "no-store", signal: AbortSignal.timeout(5000)});
    if (!answer.ok) return [failed, cross];
    const name = `v${answer.headers.get("X-App-Version")} ${answer.headers.get("X-App-Colour")}`;
    return [name, "data:image/svg+xml," + encodeURIComponent(await answer.text())];
  } catch {
    return [failed, cross];
  }
}
function count(name, picture) {
  if (!counts.has(name)) {
    const row = document.createElement("div"), term = document.createElement("dt"), image = document.createElement("img"), number = document.createElement("dd");
    image.src = picture; image.alt = "";
    term.append(image, name); row.append(term, number); list.append(row);
    counts.set(name, {number, sum: 0});
  }
  const entry = counts.get(name);
  entry.number.textContent = ++entry.sum;
  list.parentElement.hidden = false;
}
async function next() {
  const [name, picture] = await fetchBadge(), tile = tiles[sent++ % tiles.length];
  tile.src = picture; tile.alt = name;
  document.querySelector(".latest")?.classList.remove("latest");
  tile.classList.add("latest");
  count(name, picture);
  setTimeout(next, 100);
}
next();
