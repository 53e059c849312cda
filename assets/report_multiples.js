/* Small multiples: augmentations by models. */

const WIDE = 200, HIGH = 112, EDGE = 4;

const panel = (axisAt, model) => {
  const axis = data.axes[axisAt];
  const scaled = (value) => (axis.layout.type === "log" ? Math.log10(placeOf(axisAt, value)) : value);
  const across = axis.values.map(scaled);
  const [first, last] = [across[0], across[across.length - 1]];
  const x = (value) => (last === first ? WIDE / 2 : EDGE + ((WIDE - 2 * EDGE) * (scaled(value) - first)) / (last - first));
  const y = (share) => EDGE + (HIGH - 2 * EDGE) * (1 - share);
  const line = (values, shares, attributes) => drawn("polyline", {
    points: values.map((value, at) => [value, shares[at]]).filter(([, share]) => known(share))
      .map(([value, share]) => `${x(value).toFixed(1)},${y(share).toFixed(1)}`).join(" "),
    fill: "none", ...attributes,
  });
  const mine = (entry) => entry.axis === axisAt && entry.model === model && chosen(entry);
  const means = data.means.filter((entry) => mine(entry) && entry.aggregate === "mean of classes");
  if (!means.length) return null;
  const svg = drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": `${axis.name}, ${data.models[model]}` });
  [0, 0.5, 1].forEach((share) => svg.append(drawn("line", { x1: 0, x2: WIDE, y1: y(share), y2: y(share), class: "rule" })));
  means.forEach((entry) => svg.append(line(entry.values, entry.accuracy,
    { class: "average", "stroke-dasharray": dash(entry.split) === "dash" ? "5 3" : "none" })));
  data.curves.filter(mine).forEach((entry) => view.classes.forEach((position, order) =>
    svg.append(line(entry.values, accuracyOf(entry, position),
      { stroke: colour(order), "stroke-width": 2, "stroke-dasharray": dash(entry.split) === "dash" ? "5 3" : "none" }))));
  const ends = make("div", { className: "ends" }, make("span", { textContent: axis.texts[0] }), make("span", { textContent: axis.texts[axis.texts.length - 1] }));
  return make("figure", {}, make("figcaption", { textContent: data.models[model], title: data.models[model] }), svg, ends);
};

const drawMultiples = () => {
  byId("multiples-grid").replaceChildren(...data.axes.map((axis, at) => {
    const panels = view.models.map((model) => panel(at, model)).filter(Boolean);
    return make("div", { className: "row", hidden: !panels.length },
      make("h3", { textContent: `${axis.name} (${axis.unit})` }), make("div", { className: "panels" }, ...panels));
  }));
};
