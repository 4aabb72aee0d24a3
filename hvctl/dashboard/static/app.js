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
      const fields = chart.dataset.fields.split(",");
      const words = chart.dataset.words.split("|");
      const times = used.map((one) => Date.parse(one.end) / 1000);
      const series = fields.map((field) => used.map((one) => one[field]));
      const ink = getComputedStyle(document.body).color;
      const axis = { stroke: ink, grid: { stroke: "#8884", width: 1 }, ticks: { stroke: "#8884", width: 1 } };
      new uPlot({
        width: chart.clientWidth, height: 180, legend: { show: fields.length > 1 },
        axes: [axis, { ...axis, size: 64 }],
        series: [{ label: chart.dataset.time }, ...fields.map((field, n) => ({ label: words[n] || field, stroke: COLOURS[n], width: 2, points: { show: times.length < 60 } }))],
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
