/* What the page holds, and how nodes, names and numbers are written. No number is made in any of
   these scripts: they draw what Python computed. lpa/report/script.py joins them. */

const data = JSON.parse(document.getElementById("data").textContent);
const GLYPHS = ["●", "■", "◆", "▲", "✚", "✖", "▼", "⬢"];  // as the theme's markers
const byId = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
let printing = false;

const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};
const drawn = (tag, attributes, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
  node.append(...children);
  return node;
};
// Plotly reads a little HTML in its texts; names are text.
const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const known = (number) => number !== null && number !== undefined && !Number.isNaN(number);
const percent = (number) => (100 * number).toFixed(1) + " %";
const minus = (text) => text.replace("-", "−");
// Rounded to 0, a number has no sign.
const points = (number) => (known(number) ? minus((100 * number).toFixed(1).replace(/^-0\.0$/, "0.0")) : "–");
const short = (number) => String(Math.round(number * 1e4) / 1e4);
const look = () => (dark.matches && !printing ? data.theme.dark : data.theme.light);
const colour = (index) => look().palette[index % look().palette.length];
const marker = (index) => data.theme.markers[index % data.theme.markers.length];
const glyph = (index) => GLYPHS[index % GLYPHS.length];
const dash = (split) => data.theme.dashes[data.splits[split]] || "solid";
const runOf = (model) => data.modelRuns[model];
// Images of a class: of the run in focus, or of the first run that has any.
const sizeOf = (position) =>
  data.classes[position].n[runOf(view.focus)] || data.classes[position].n.find((count) => count) || 0;
const titleOf = (run, index) => data.titles[run][index] || "no class of the run";
// Where a value is drawn: a reference of 0 has a place on a logarithmic axis too.
const placeOf = (axis, value) => data.axes[axis].places[data.axes[axis].values.indexOf(value)];
const textOf = (axis, value) => {
  const at = data.axes[axis].values.indexOf(value);
  return at < 0 ? short(value) : data.axes[axis].texts[at];
};
