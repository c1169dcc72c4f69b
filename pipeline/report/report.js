"use strict";
(() => {
  const camera = document.getElementById("filter-camera");
  const search = document.getElementById("filter-id");
  const shown = document.getElementById("shown");
  const tip = document.getElementById("tip");
  let tipped = null;

  function matches(row) {
    const cameras = JSON.parse(row.dataset.cameras);
    const wanted = search.value.trim();
    return (!camera.value || cameras.includes(camera.value)) && row.dataset.person.startsWith(wanted);
  }

  function filter() {
    for (const row of document.querySelectorAll("[data-person]")) row.hidden = !matches(row);
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
    filter();
  }
  onBars("mouseover", showTip);
  onBars("focusin", showTip);
  onBars("mouseout", hideTip);
  onBars("focusout", hideTip);
  document.addEventListener("scroll", () => { if (tipped) showTip(tipped); }, true);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
})();
