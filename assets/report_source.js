/* Source and target of a probe side by side. */

const STAR = 15;

const homeEntries = () => data.homes.filter((entry) => entry.axis === view.axis && view.models.includes(entry.model) && view.splits.includes(entry.split));

// A class's curve with a star at its best value.
const starred = (entry, position, order) => {
  const curve = data.curves.find((each) => ["run", "model", "axis", "split", "level"].every((key) => each[key] === entry[key]));
  if (!curve || !data.classes[position].n[entry.run]) return [];
  const series = ofClass(curve, position), best = entry.best[position];
  const [line] = curveTraces(curve, series, curveName(entry, data.classes[position].title), colour(order), false);
  return [line, {
    x: [placeOf(entry.axis, best)], y: [series.accuracy[curve.values.indexOf(best)]], mode: "markers", showlegend: false,
    marker: { symbol: "star", size: STAR, color: colour(order), line: { width: 1, color: look().background } },
    text: [`best value of ${plain(data.classes[position].title)}: ${textOf(entry.axis, best)}`], hovertemplate: "%{text}<extra></extra>",
  }];
};

const drawHomes = () => {
  if (!data.homes.length || !window.Plotly) return;
  const entries = homeEntries(), narrow = innerWidth < 700;  // as in report.css
  const panel = (of) => entries.flatMap((entry) =>
    curveTraces({ ...entry, ...entry[of] }, entry[of], curveName(entry, "mean of classes"), entries.length > 1 ? colour(entry.model) : look().text, entries.length <= BANDS));
  const left = panel("source"), right = [...panel("target"), ...entries.flatMap((entry) => view.classes.flatMap((position, order) => starred(entry, position, order)))];
  const fitted = [fittedAxis(entries, left), fittedAxis(entries, right)];
  byId("source-note").textContent = entries.length
    ? "The dashed line is the value that is best on the source, the star a class's own best. What has a band is the mean of classes, with 95 % intervals over the backbones' trainings; the classes are those chosen above." +
      (fitted.some((each) => each.words) ? " Each accuracy axis fits its curves; the two are not the same." : "")
    : "Nothing that is chosen above has a source on this axis.";
  const base = layout({}, {}), place = (which, from) => ({ ...from, anchor: `y${which}` });
  const across = narrow ? [[0, 1], [0, 1]] : [[0, 0.44], [0.56, 1]], up = narrow ? [[0.58, 1], [0, 0.42]] : [[0, 1], [0, 1]];
  const lines = entries.flatMap((entry) => ["", "2"].map((which) => ({
    type: "line", xref: `x${which}`, yref: `y${which} domain`, x0: placeOf(entry.axis, entry.home), x1: placeOf(entry.axis, entry.home), y0: 0, y1: 1,
    line: { color: look().text, width: 1, dash: "dash" },
  })));
  // Shapes on a logarithmic axis lie at logarithms.
  const log = data.axes[view.axis].layout.type === "log";
  lines.forEach((line) => { if (log) { line.x0 = Math.log10(line.x0); line.x1 = line.x0; } });
  const title = (text, at) => ({ text, showarrow: false, xref: "paper", yref: "paper", x: across[at][0], y: up[at][1], xanchor: "left", yanchor: "bottom", yshift: 4 });
  Plotly.react("source-plot", [...bandsFirst(left), ...bandsFirst(right).map((trace) => ({ ...trace, xaxis: "x2", yaxis: "y2" }))], {
    ...base,
    margin: { l: 56, r: 12, t: 34, b: bottom() },
    xaxis: { ...place("", base.xaxis), ...(narrow ? { title: "" } : {}), domain: across[0] }, xaxis2: { ...place("2", base.xaxis), domain: across[1] },
    yaxis: { ...base.yaxis, ...fitted[0].axis, anchor: "x", domain: up[0] }, yaxis2: { ...base.yaxis, ...fitted[1].axis, anchor: "x2", domain: up[1] },
    shapes: lines,
    annotations: [title("<b>Source</b>", 0), title("<b>Target</b>", 1)],
  }, config);
};
