// Times in the reader's own zone, and charts. Without this the pages say the same in UTC and as tables.
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

  const PAPER = 640; // what an A4 page has room for, in CSS pixels
  const COLOURS = ["#0b73d9", "#c2571a"];

  const UNITS = language === "ja" ? ["秒", "分", "時間", "日"] : ["s", "min", "h", "d"];
  const SIZES = [1, 60, 3600, 86400];
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800];

  function span(seconds) {
    const at = SIZES.findLastIndex((size) => seconds >= size && seconds % size === 0);
    return at < 0 ? `${seconds} ${UNITS[0]}` : `${seconds / SIZES[at]} ${UNITS[at]}`;
  }

  function lasting(seconds) {
    const at = Math.max(0, SIZES.findLastIndex((size) => seconds >= size));
    const rest = at ? Math.floor((seconds % SIZES[at]) / SIZES[at - 1]) : 0;
    return `${Math.floor(seconds / SIZES[at])} ${UNITS[at]}` + (rest ? ` ${rest} ${UNITS[at - 1]}` : "");
  }

  // A line stops where nothing was read for longer than usual.
  function broken(rows) {
    const at = (row) => Date.parse(row.end || row.at);
    const usual = rows.slice(1).map((row, n) => at(row) - at(rows[n])).sort((a, b) => a - b)[Math.floor((rows.length - 1) / 2)];
    return rows.flatMap((row, n) => (n && at(row) - at(rows[n - 1]) > 3 * usual ? [{ at: new Date(at(rows[n - 1]) + usual).toISOString() }, row] : [row]));
  }

  async function draw(charts) {
    const answer = await fetch(charts.dataset.source, { headers: { accept: "application/json" } });
    if (!answer.ok) return;
    const rows = broken((await answer.json())[charts.dataset.rows]);
    const times = rows.map((one) => Date.parse(one.end || one.at) / 1000);
    const long = times.at(-1) - times[0] > 2 * 86400;
    const tick = new Intl.DateTimeFormat(locale, long ? { month: language === "ja" ? "numeric" : "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit" });
    for (const chart of charts.querySelectorAll(".chart")) {
      const fields = chart.dataset.fields.split(",");
      const words = chart.dataset.words.split("|");
      const series = fields.map((field) => rows.map((one) => one[field] ?? null));
      const ink = getComputedStyle(document.body).color;
      const axis = { stroke: ink, grid: { stroke: "#8884", width: 1 }, ticks: { stroke: "#8884", width: 1 } };
      const spans = "spans" in chart.dataset ? { incrs: STEPS, values: (_, at) => at.map(span) } : {};
      const value = "spans" in chart.dataset ? { value: (_, told) => (told == null ? "--" : lasting(told)) } : {};
      if (series.every((one) => one.every((told) => told === null))) {
        chart.textContent = charts.dataset.none;
        chart.classList.add("none");
        chart.removeAttribute("role");
        continue;
      }
      const plot = new uPlot({
        width: chart.clientWidth, height: 180, legend: { show: fields.length > 1 || "spans" in chart.dataset },
        axes: [{ ...axis, space: 64, values: (_, at) => at.map((one) => tick.format(new Date(one * 1000))) }, { ...axis, size: 72, ...spans }],
        series: [
          { label: chart.dataset.time, value: (_, at) => (at == null ? "--" : clock.format(new Date(at * 1000))) },
          ...fields.map((field, n) => ({ label: words[n] || field, stroke: COLOURS[n], width: 2, points: { show: times.length < 60 }, ...value })),
        ],
        scales: { y: { range: (_, low, high) => [0, Math.max((high || 0) * 1.05, 1e-6)] } },
      }, [times, ...series], chart);
      const fit = (width) => width && width !== plot.width && plot.setSize({ width, height: 180 });
      new ResizeObserver(() => fit(chart.clientWidth)).observe(chart);
      addEventListener("beforeprint", () => fit(Math.min(chart.clientWidth, PAPER)));
      addEventListener("afterprint", () => fit(chart.clientWidth));
    }
  }

  function ready(root) {
    localTimes(root);
    for (const charts of root.querySelectorAll(".charts")) draw(charts);
  }

  document.addEventListener("DOMContentLoaded", () => ready(document));
  document.addEventListener("htmx:afterSwap", (event) => localTimes(event.detail.target.parentElement || document));
})();
