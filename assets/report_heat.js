/* Heat map of all classes. */

const drawHeat = () => {
  if (!window.Plotly) return;
  const curve = inFocus(data.curves);
  const node = byId("heat-plot");
  byId("heat-note").textContent = curve ? `${curveName(curve)} on ${data.axes[curve.axis].name}.` : "";
  if (!curve) {
    Plotly.purge(node);
    node.textContent = `${data.models[view.focus]} was not measured on ${data.axes[view.axis].name}.`;
    node.style.height = "auto";
    return;
  }
  if (!node.querySelector(".plot-container")) node.textContent = "";
  const rows = curve.order, accuracy = accuracies(curve), width = data.classes.length;
  const texts = curve.values.map((value) => textOf(curve.axis, value));
  const z = rows.map((position) => curve.values.map((_, at) => accuracy[at * width + position]));
  const labelled = rows.length <= 60;
  const narrow = node.clientWidth < 600;
  const cut = (text) => { const most = narrow ? 16 : 30; return text.length > most ? text.slice(0, most - 1) + "…" : text; };
  const height = labelled ? 56 + bottom() + (narrow ? 16 : 0) + 20 * rows.length : 620;
  node.style.height = height + "px";
  const base = layout();
  Plotly.react(node, [{
    type: "heatmap", z, hovertemplate: "%{customdata}<br>%{x}: %{z:.1%}<extra></extra>",
    x: texts.map((text) => `${plain(data.axes[curve.axis].name)} ${text}`),
    customdata: rows.map((position) => texts.map(() => plain(data.classes[position].title))), zmin: 0, zmax: 1,
    colorscale: look().heat, xgap: labelled ? 2 : 0, ygap: labelled ? 2 : 0,
    colorbar: { thickness: 10, outlinewidth: 0, tickvals: [0, 0.5, 1], ticktext: ["0 %", "50 %", "100 %"], len: 0.5, y: 1, yanchor: "top" },
  }], {
    ...base, height,
    xaxis: { ...base.xaxis, title: { ...base.xaxis.title, standoff: narrow ? 26 : 12 }, type: "category", range: undefined, autorange: true, showline: false, ticks: "", tickmode: "array",
      tickvals: texts.map((_, at) => at), ticktext: texts },
    yaxis: { ...base.yaxis, title: { text: labelled ? "" : `${rows.length} classes` }, range: [rows.length - 0.5, -0.5], showgrid: false,
      tickvals: labelled ? rows.map((_, at) => at) : [], ticktext: labelled ? rows.map((position) => plain(cut(data.classes[position].title))) : [],
      automargin: true },
    margin: { l: 24, r: 8, t: 8, b: bottom() + (narrow ? 16 : 0) },
  }, config);
  if (!node.listening) {
    node.listening = true;
    node.on("plotly_click", (event) => {
      const [row] = event.points[0].pointIndex || event.points[0].pointNumber;
      toggle(inFocus(data.curves).order[row]);
    });
  }
};
