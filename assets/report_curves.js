/* Mean curve and class curves. */

const BANDS = 6;  // curves up to which intervals are drawn as bands

const curveTraces = (entry, series, name, hue, banded) => {
  const traces = [];
  const sure = series.low.map((low, at) => (known(low) ? at : -1)).filter((at) => at >= 0);
  if (banded && sure.length > 1) {
    const back = [...sure].reverse();
    traces.push({
      x: [...sure, ...back].map((at) => placeOf(entry.axis, entry.values[at])),
      y: [...sure.map((at) => series.low[at]), ...back.map((at) => series.high[at])],
      fill: "toself", fillcolor: translucent(hue), line: { width: 0 }, mode: "lines",
      hoverinfo: "skip", showlegend: false, meta: "interval",
    });
  }
  const replicate = data.runs[entry.run].level === "run" ? "run" : "draw";
  traces.push({
    x: entry.values.map((value) => placeOf(entry.axis, value)), y: series.accuracy, name: plain(name), mode: "lines+markers",
    line: { color: hue, width: 2, dash: dash(entry.split) },
    marker: { symbol: marker(entry.model), size: 7, color: hue },
    text: series.accuracy.map((accuracy, at) => {
      const interval = sure.includes(at) ? ` [${percent(series.low[at])}, ${percent(series.high[at])}]` : "";
      const draws = entry.draws[at] === 1 ? `1 ${replicate}` : `${entry.draws[at]} ${replicate}s`;
      return `${plain(data.axes[entry.axis].name)} ${textOf(entry.axis, entry.values[at])}: ${percent(accuracy)}${interval}, ${draws}`;
    }),
    hovertemplate: "%{text}<extra>%{fullData.name}</extra>",
  });
  return traces;
};

const bandsFirst = (traces) =>
  [...traces.filter((trace) => trace.fill), ...traces.filter((trace) => !trace.fill)];

const meanEntries = () => data.means.filter((entry) => shown(entry) && entry.aggregate === view.aggregate).sort(byModel);

const drawMean = () => {
  if (!window.Plotly) return;  // it is drawn when Plotly has started
  const entries = meanEntries();
  const traces = entries.flatMap((entry) =>
    curveTraces(entry, entry, curveName(entry), colour(entry.model), entries.length <= BANDS));
  const fitted = fittedAxis(entries, traces);
  const methods = [...new Set(entries.map((entry) => entry.method))];
  byId("mean-note").textContent = entries.length
    ? (entries.length <= BANDS ? "Bands are 95 % intervals" : `Bands are hidden while more than ${BANDS} curves are shown; hover for 95 % intervals`) +
      ` (${methods.join("; ")}; level: ${levelsOf(entries)}).` +
      (data.splits.includes("train") ? " Training images are dashed." : "") +
      (fitted.words ? ` ${fitted.words}` : "")
    : view.models.length ? "Nothing that is chosen above was measured on this axis." : "No model is chosen above.";
  const narrow = byId("mean-plot").clientWidth < 600;
  const legend = entries.length > 1 && !(narrow && entries.length > 4);
  Plotly.react("mean-plot", bandsFirst(traces), layout({
    showlegend: legend,
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: narrow ? 11 : 12 } },
    margin: { l: 56, r: 12, t: legend ? 40 : 12, b: bottom() },
  }, fitted.axis), config);
};

const classEntries = () => data.curves.filter(shown).sort(byModel);

const drawClasses = () => {
  if (!window.Plotly) return;
  const entries = classEntries();
  const many = entries.length * view.classes.length > BANDS;
  const traces = view.classes.flatMap((position, order) =>
    entries.filter((entry) => data.classes[position].n[entry.run]).flatMap((entry) =>
      curveTraces(entry, ofClass(entry, position), curveName(entry, data.classes[position].title), colour(order), !many)));
  const single = view.classes.some((position) => sizeOf(position) === 1);
  const sized = view.classes.some((position) => sizeOf(position) > 1);
  const words = [];
  if (!view.classes.length) words.push("No class is chosen: find one by its name.");
  if (view.classes.length) words.push(`Colour is the class${view.models.length > 1 ? ", the marker the model" : ""}.`);
  if (sized) words.push(many ? `Bands are hidden while more than ${BANDS} curves are shown; hover for 95 % intervals.` : `Bands are 95 % intervals (level: ${levelsOf(entries)}).`);
  if (sized && entries.some((entry) => entry.level === "run")) {
    words.push("Level run speaks of new trainings on these images" + (data.ranks.length ? "; findings and ranking speak of both, new trainings and new images." : ", not of new images."));
  }
  if (single) words.push("A class of one photograph has no interval: its curve describes that photograph.");
  if (data.runs.length > 1 && view.classes.some((position) => data.classes[position].n.includes(0))) words.push("Some classes are not in every run.");
  const fitted = fittedAxis(entries, traces);
  if (fitted.words) words.push(fitted.words);
  byId("class-note").textContent = words.join(" ");
  Plotly.react("class-plot", bandsFirst(traces), layout({}, fitted.axis), config);
};
