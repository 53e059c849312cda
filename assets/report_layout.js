/* What the figures share: axes, colours, and the names of curves. */

const config = { responsive: true, displaylogo: false, modeBarButtons: [["toImage"]] };

// Name and unit of the axis; on a phone the unit stands on a line of its own.
const axisTitle = (axis, narrow) => {
  const text = plain(axis.layout.title.text), unit = ` (${plain(axis.unit)})`;
  return narrow && text.endsWith(unit) ? `${text.slice(0, -unit.length)}<br>(${plain(axis.unit)})` : text;
};

const bottom = () => (innerWidth < 600 ? 72 : 54);

// Trainings differ by little, often at 98 %: on an axis from 0 to 100 % their curves would be flat
// lines. The axis of curves of trainings alone fits them and their bands; the caption says so.
const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2], MOST_TICKS = 6, WHOLE = 0.8;

const fittedAxis = (entries, traces) => {
  const heights = traces.flatMap((trace) => trace.y).filter(known);
  if (!heights.length || entries.some((entry) => data.runs[entry.run].level !== "run")) return { axis: {}, words: "" };
  const low = heights.reduce((a, b) => Math.min(a, b)), high = heights.reduce((a, b) => Math.max(a, b));
  const room = Math.max(0.06 * (high - low), 0.004);
  const range = [Math.max(low - room, -0.02), Math.min(high + room, 1.02)];
  if (range[1] - range[0] > WHOLE) return { axis: {}, words: "" };
  const step = STEPS.find((each) => (range[1] - range[0]) / each <= MOST_TICKS);
  const tickvals = [];
  for (let at = Math.ceil(Math.max(range[0], 0) / step); at * step <= Math.min(range[1], 1) + 1e-9; at += 1) tickvals.push(at * step);
  const shown = range.map((end) => (100 * Math.min(Math.max(end, 0), 1)).toFixed(1));
  return {
    axis: { range, tickvals, ticktext: tickvals.map((value) => (100 * value).toFixed(step < 0.01 ? 1 : 0)) },
    words: `The accuracy axis fits the curves: it goes from ${shown[0]} to ${shown[1]} %, not from 0 to 100 %.`,
  };
};

const layout = (extra, accuracy) => {
  const colours = look(), narrow = innerWidth < 600;
  const lines = { gridcolor: colours.grid, linecolor: colours.line, zeroline: false, fixedrange: true };
  const axis = data.axes[view.axis];
  return {
    font: { family: data.theme.font, color: colours.text, size: 13 },
    paper_bgcolor: colours.background, plot_bgcolor: colours.background,
    xaxis: { ...axis.layout, title: { text: axisTitle(axis, narrow), standoff: 12 }, ...lines, showgrid: false, showline: true, ticks: "outside", tickcolor: colours.line },
    yaxis: { ...data.accuracyAxis, ...accuracy, ...lines },
    margin: { l: 56, r: 12, t: 12, b: bottom() },
    hovermode: "closest", showlegend: false,
    hoverlabel: { font: { family: data.theme.font } },
    ...extra,
  };
};

const translucent = (hex) =>
  `rgba(${[1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(",")},${dark.matches && !printing ? 0.14 : 0.12})`;

const curveName = (entry, first) => {
  const words = first ? [first] : [];
  if (!first || data.models.length > 1) words.push(data.models[entry.model]);
  if (data.splits.length > 1) words.push(data.splits[entry.split]);
  return words.join(", ");
};

const byModel = (a, b) => a.model - b.model || a.split - b.split;
const levelsOf = (entries) => [...new Set(entries.map((entry) => entry.level))].join(" and ");
