// Times in the reader's own zone, and charts of meters. Without this the pages say the same in UTC and as tables.
"use strict";
(() => {
  const language = document.documentElement.lang;
  const locale = navigator.languages.find((one) => one.startsWith(language)) || language;
  const clock = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

  function localTimes(root) {
    for (const one of root.querySelectorAll("time[datetime]:not([data-age])")) {
      one.textContent = clock.format(new Date(one.dateTime));
    }
  }

  const COLOURS = ["#0b73d9", "#c2571a"];

  async function draw(charts) {
    const answer = await fetch(charts.dataset.used, { headers: { accept: "application/json" } });
    if (!answer.ok) return;
    const used = (await answer.json()).used;
    for (const chart of charts.querySelectorAll(".chart")) {
      const fields = chart.dataset.fields.split(","), words = chart.dataset.words.split("|");
      const times = used.map((one) => Date.parse(one.end || one.at) / 1000);
      const series = fields.map((field) => used.map((one) => one[field]));
      const ink = getComputedStyle(document.body).color;
      if (series.every((one) => one.every((value) => value == null))) {
        chart.textContent = chart.dataset.none;
        chart.classList.add("none");
        continue;
      }
      const days = times.at(-1) - times[0] > 2 * 86400;
      const shape = days ? { month: language === "ja" ? "numeric" : "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit" };
      const tick = new Intl.DateTimeFormat(locale, shape);
      const axis = { stroke: ink, grid: { stroke: "#8884", width: 1 }, ticks: { stroke: "#8884", width: 1 } };
      new uPlot({
        width: chart.clientWidth, height: 180, legend: { show: fields.length > 1 },
        axes: [{ ...axis, space: 64, values: (_, at) => at.map((one) => tick.format(new Date(one * 1000))) }, { ...axis, size: 64 }],
        series: [{ label: chart.dataset.time, value: (_, at) => (at == null ? "" : clock.format(new Date(at * 1000))) }, ...fields.map((field, n) => ({ label: words[n], stroke: COLOURS[n], width: 2, points: { show: times.length < 60 } }))],
        scales: { y: { range: (_, low, high) => [0, Math.max(high || 0, 1e-6)] } },
      }, [times, ...series], chart);
    }
  }

  function ready(root) {
    localTimes(root);
    for (const charts of root.querySelectorAll(".charts")) draw(charts);
  }

  document.addEventListener("DOMContentLoaded", () => ready(document));
  document.addEventListener("htmx:afterSwap", (event) => localTimes(event.detail.target.parentElement || document));
})();
