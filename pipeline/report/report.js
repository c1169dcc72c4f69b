"use strict";
(() => {
  const camera = document.getElementById("filter-camera");
  const search = document.getElementById("filter-id");
  const seconds = document.getElementById("filter-seconds");
  const sure = document.getElementById("filter-sure");
  const order = document.getElementById("order");
  const shown = document.getElementById("shown");
  const tip = document.getElementById("tip");
  let tipped = null;

  const orders = {
    person: (row) => Number(row.person),
    first: (row) => Number(row.first),
    last: (row) => -Number(row.last),
    seconds: (row) => -Number(row.seconds),
    cameras: (row) => -JSON.parse(row.cameras).length,
    confidence: (row) => Number(row.confidence),
  };

  function isSure(row) {
    if (sure.value === "confirmed") return row.confirmed === "1";
    return Number(row.confidence) >= Number(sure.value);
  }

  function matches(row) {
    return (!camera.value || JSON.parse(row.cameras).includes(camera.value))
      && row.person.startsWith(search.value.trim())
      && Number(row.seconds) >= Number(seconds.value)
      && isSure(row);
  }

  function filter() {
    const left = new Set();
    for (const row of document.querySelectorAll("[data-cameras]")) {
      row.hidden = !matches(row.dataset);
      if (!row.hidden) left.add(row.dataset.person);
    }
    for (const way of document.querySelectorAll("[data-way]")) {
      way.style.display = left.has(way.dataset.way) ? "" : "none";
    }
    for (const group of document.querySelectorAll("details.brief")) {
      const some = group.querySelector("[data-cameras]:not([hidden])") !== null;
      group.hidden = !some;
      if (search.value.trim() && some) group.open = true;
    }
    tell();
  }

  function sort() {
    const key = orders[order.value];
    for (const group of document.querySelectorAll(".rows, .cards")) {
      const rows = [...group.children].filter((row) => row.dataset.person);
      rows.sort((a, b) => key(a.dataset) - key(b.dataset) || a.dataset.person - b.dataset.person);
      group.append(...rows);
    }
  }

  function tell() {
    const all = document.querySelectorAll("article[data-person]");
    const left = [...all].filter((row) => !row.hidden).length;
    shown.textContent = `${left} of ${all.length} shown`;
    document.getElementById("nobody-matches").hidden = left > 0;
  }

  function showTip(bar) {
    tipped = bar;
    const box = bar.getBoundingClientRect();
    tip.textContent = bar.getAttribute("aria-label");
    tip.hidden = false;
    const middle = box.left + box.width / 2 - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(8, Math.min(middle, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${Math.max(8, box.top - tip.offsetHeight - 8)}px`;
  }

  function hideTip() {
    tipped = null;
    tip.hidden = true;
  }

  function onBars(type, action) {
    document.addEventListener(type, (event) => {
      if (event.target.classList?.contains("bar")) action(event.target);
    });
  }

  if (camera) {
    document.getElementById("filters").hidden = false;
    camera.addEventListener("change", filter);
    search.addEventListener("input", filter);
    seconds.addEventListener("change", filter);
    sure.addEventListener("change", filter);
    order.addEventListener("change", sort);
    filter();
  }
  onBars("mouseover", showTip);
  onBars("focusin", showTip);
  onBars("mouseout", hideTip);
  onBars("focusout", hideTip);
  document.addEventListener("scroll", () => { if (tipped) showTip(tipped); }, true);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
})();
