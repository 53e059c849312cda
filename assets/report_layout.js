/* What the figures share: axes, colours, and the names of curves. */

const config = { responsive: true, displaylogo: false, modeBarButtons: [["toImage"]] };

// Name and unit of the axis; on a phone the unit stands on a line of its own.
const axisTitle = (axis, narrow) => {
  const text = plain(axis.layout.title.text), unit = ` (${plain(axis.unit)})`;
  return narrow && text.endsWith(unit) ? `${text.slice(0, -unit.length)}<br>(${plain(axis.unit)})` : text;
};

const bottom = () => (innerWidth < 600 ? 72 : 54);

const layout = (extra) => {
  const colours = look(), narrow = innerWidth < 600;
  const lines = { gridcolor: colours.grid, linecolor: colours.line, zeroline: false, fixedrange: true };
  const axis = data.axes[view.axis];
  return {
    font: { family: data.theme.font, color: colours.text, size: 13 },
    paper_bgcolor: colours.background, plot_bgcolor: colours.background,
    xaxis: { ...axis.layout, title: { text: axisTitle(axis, narrow), standoff: 12 }, ...lines, showgrid: false, showline: true, ticks: "outside", tickcolor: colours.line },
    yaxis: { ...data.accuracyAxis, ...lines },
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
