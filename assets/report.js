/* Draws what Python computed. No number is made here; the view is kept in the URL fragment. */
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const MISSING = 65535, FINEST = 65534;
  const BANDS = 6;           // curves up to which intervals are drawn as bands
  const GLYPHS = ["●", "■", "◆", "▲", "✚", "✖", "▼", "⬢"];  // as the theme's markers
  const byId = (id) => document.getElementById(id);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let printing = false;

  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  // Plotly reads a little HTML in its texts; names are text.
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const percent = (number) => (100 * number).toFixed(1) + " %";
  const look = () => (dark.matches && !printing ? data.theme.dark : data.theme.light);
  const colour = (index) => look().palette[index % look().palette.length];
  const marker = (index) => data.theme.markers[index % data.theme.markers.length];
  const glyph = (index) => GLYPHS[index % GLYPHS.length];
  const dash = (split) => data.theme.dashes[data.splits[split]] || "solid";

  const unpack = (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float64Array.from({ length: bytes.length / 2 }, (_, index) => {
      const step = view.getUint16(2 * index, true);
      return step === MISSING ? NaN : step / FINEST;
    });
  };
  const unpacked = new Map();
  const numbers = (curve) => {
    if (!unpacked.has(curve)) {
      unpacked.set(curve, {
        accuracy: unpack(curve.accuracy),
        intervals: curve.intervals ? unpack(curve.intervals) : null,
      });
    }
    return unpacked.get(curve);
  };
  const ofClass = (curve, position) => {
    const { accuracy, intervals } = numbers(curve);
    const width = data.classes.length, size = curve.values.length * width;
    const pick = (array, offset) =>
      curve.values.map((_, row) => (array ? array[offset + row * width + position] : NaN));
    return { accuracy: pick(accuracy, 0), low: pick(intervals, 0), high: pick(intervals, size) };
  };

  /* ---- the view ------------------------------------------------------------------------ */

  // The photograph that says most comes first: right at the identity, then lost most often.
  const tellingStrip = () => {
    const losses = data.strips.map((strip) => {
      const wrong = (item) => item.verdicts.filter(([, prediction]) => prediction !== strip.label).length;
      const atIdentity = strip.items.filter((item) => item.axis === null);
      if (!atIdentity.length || atIdentity.some(wrong)) return -1;
      return strip.items.reduce((sum, item) => sum + (item.axis === 0 ? wrong(item) : 0), 0);
    });
    return Math.max(0, losses.indexOf(Math.max(...losses)));
  };

  const start = () => ({
    axis: 0,
    models: data.models.map((_, index) => index),
    splits: data.splits.map((_, index) => index),
    classes: [...data.first],
    strip: telling,
    aggregate: "mean of classes",
    heat: 0,
  });
  const telling = data.strips.length ? tellingStrip() : 0;
  let view = start();

  // Names of another run are passed over; where none is known, what is shown at first stays.
  const indices = (list, names, otherwise) => {
    const found = names.map((name) => list.indexOf(name)).filter((index) => index >= 0);
    return found.length || names.every((name) => name === "") ? [...new Set(found)] : otherwise;
  };

  const readFragment = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    const found = start();
    const axis = data.axes.findIndex((entry) => entry.name === given.get("axis"));
    if (axis >= 0) found.axis = axis;
    if (given.has("model")) found.models = indices(data.models, given.getAll("model"), found.models);
    if (given.has("split")) found.splits = indices(data.splits, given.getAll("split"), found.splits);
    if (given.has("class")) {
      found.classes = indices(data.classes.map((entry) => entry.name), given.getAll("class"), found.classes);
    }
    const strip = data.strips.findIndex((entry) => entry.name === given.get("photograph"));
    if (strip >= 0) found.strip = strip;
    if (given.get("average") === "overall") found.aggregate = "overall";
    const heat = data.models.indexOf(given.get("heat"));
    if (heat >= 0) found.heat = heat;
    view = found;
  };

  const writeFragment = () => {
    const made = new URLSearchParams();
    made.set("axis", data.axes[view.axis].name);
    if (view.models.length < data.models.length) {
      view.models.forEach((index) => made.append("model", data.models[index]));
      if (!view.models.length) made.append("model", "");
    }
    if (view.splits.length < data.splits.length) {
      view.splits.forEach((index) => made.append("split", data.splits[index]));
    }
    view.classes.forEach((index) => made.append("class", data.classes[index].name));
    if (!view.classes.length) made.append("class", "");
    if (data.strips.length) made.set("photograph", data.strips[view.strip].name);
    if (view.aggregate === "overall") made.set("average", "overall");
    if (view.heat) made.set("heat", data.models[view.heat]);
    history.replaceState(null, "", "#" + made);
  };

  const shown = (entry) =>
    entry.axis === view.axis && view.models.includes(entry.model) && view.splits.includes(entry.split);

  /* ---- figures ------------------------------------------------------------------------- */

  const config = { responsive: true, displaylogo: false, modeBarButtons: [["toImage"]] };

  const layout = (extra) => {
    const colours = look();
    const lines = { gridcolor: colours.grid, linecolor: colours.line, zeroline: false, fixedrange: true };
    const axis = data.axes[view.axis];
    return {
      font: { family: data.theme.font, color: colours.text, size: 13 },
      paper_bgcolor: colours.background, plot_bgcolor: colours.background,
      xaxis: { ...axis.layout, title: { text: plain(axis.layout.title.text), standoff: 12 }, ...lines, showgrid: false, showline: true, ticks: "outside", tickcolor: colours.line },
      yaxis: { ...data.accuracyAxis, ...lines },
      margin: { l: 56, r: 12, t: 12, b: 54 },
      hovermode: "closest", showlegend: false,
      hoverlabel: { font: { family: data.theme.font } },
      ...extra,
    };
  };

  const translucent = (hex) =>
    `rgba(${[1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(",")},${dark.matches && !printing ? 0.14 : 0.12})`;

  const curveTraces = (entry, series, name, hue, banded) => {
    const traces = [];
    const sure = series.low.map((low, at) => low !== null && !Number.isNaN(low) ? at : -1).filter((at) => at >= 0);
    if (banded && sure.length > 1) {
      const back = [...sure].reverse();
      traces.push({
        x: [...sure, ...back].map((at) => entry.values[at]),
        y: [...sure.map((at) => series.low[at]), ...back.map((at) => series.high[at])],
        fill: "toself", fillcolor: translucent(hue), line: { width: 0 }, mode: "lines",
        hoverinfo: "skip", showlegend: false, meta: "interval",
      });
    }
    traces.push({
      x: entry.values, y: series.accuracy, name: plain(name), mode: "lines+markers",
      line: { color: hue, width: 2, dash: dash(entry.split) },
      marker: { symbol: marker(entry.model), size: 7, color: hue },
      text: series.accuracy.map((accuracy, at) => {
        const interval = sure.includes(at) ? ` [${percent(series.low[at])}, ${percent(series.high[at])}]` : "";
        const draws = entry.draws[at] === 1 ? "1 draw" : `${entry.draws[at]} draws`;
        return `${plain(data.axes[entry.axis].name)} ${entry.values[at]}: ${percent(accuracy)}${interval}, ${draws}`;
      }),
      hovertemplate: "%{text}<extra>%{fullData.name}</extra>",
    });
    return traces;
  };

  const bandsFirst = (traces) =>
    [...traces.filter((trace) => trace.fill), ...traces.filter((trace) => !trace.fill)];

  const curveName = (entry, first) => {
    const words = first ? [first] : [];
    if (!first || data.models.length > 1) words.push(data.models[entry.model]);
    if (data.splits.length > 1) words.push(data.splits[entry.split]);
    return words.join(", ");
  };

  const drawMean = () => {
    const entries = data.means.filter((entry) => shown(entry) && entry.aggregate === view.aggregate);
    const traces = entries.flatMap((entry) =>
      curveTraces(entry, entry, curveName(entry), colour(entry.model), entries.length <= BANDS));
    const methods = [...new Set(entries.map((entry) => entry.method))];
    byId("mean-note").textContent = entries.length
      ? `Bands are 95 % intervals (${methods.join("; ")}; level: ${data.level}).` +
        (data.splits.includes("train") ? " Training images are dashed." : "")
      : "No model is chosen above.";
    Plotly.react("mean-plot", bandsFirst(traces), layout({
      showlegend: entries.length > 1,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      margin: { l: 56, r: 12, t: entries.length > 1 ? 40 : 12, b: 54 },
    }), config);
  };

  const drawClasses = () => {
    const entries = data.curves.filter(shown);
    const many = entries.length * view.classes.length > BANDS;
    const traces = view.classes.flatMap((position, order) =>
      entries.flatMap((entry) =>
        curveTraces(entry, ofClass(entry, position), curveName(entry, data.classes[position].title), colour(order), !many)));
    const single = view.classes.some((position) => data.classes[position].n === 1);
    const sized = view.classes.some((position) => data.classes[position].n > 1);
    const words = [];
    if (!view.classes.length) words.push("No class is chosen: find one by its name.");
    if (view.classes.length) words.push(`Colour is the class${view.models.length > 1 ? ", the marker the model" : ""}.`);
    if (sized) words.push(many ? `Bands are hidden while more than ${BANDS} curves are shown; hover for 95 % intervals.` : `Bands are 95 % intervals (level: ${data.level}).`);
    if (single) words.push("A class of one photograph has no interval: its curve describes that photograph.");
    byId("class-note").textContent = words.join(" ");
    Plotly.react("class-plot", bandsFirst(traces), layout(), config);
  };

  const drawHeat = () => {
    const split = view.splits.length ? view.splits[0] : 0;
    const curve = data.curves.find((entry) =>
      entry.axis === view.axis && entry.model === view.heat && entry.split === split);
    const node = byId("heat-plot");
    if (!curve) {
      Plotly.purge(node);
      node.textContent = "This model was not measured here.";
      return;
    }
    if (!node.querySelector(".plot-container")) node.textContent = "";
    const rows = curve.order, { accuracy } = numbers(curve), width = data.classes.length;
    const texts = curve.values.map((value) => String(value));
    const z = rows.map((position) => curve.values.map((_, at) => accuracy[at * width + position]));
    const hover = rows.map((position, row) => curve.values.map((value, at) =>
      `${plain(data.classes[position].title)}<br>${plain(data.axes[view.axis].name)} ${value}: ${percent(z[row][at])}`));
    const labelled = rows.length <= 60;
    const narrow = node.clientWidth < 600;
    const short = (text) => { const most = narrow ? 16 : 30; return text.length > most ? text.slice(0, most - 1) + "…" : text; };
    const height = labelled ? 110 + 20 * rows.length : 620;
    node.style.height = height + "px";
    const base = layout();
    Plotly.react(node, [{
      type: "heatmap", z, text: hover, hovertemplate: "%{text}<extra></extra>", zmin: 0, zmax: 1,
      colorscale: look().heat, xgap: labelled ? 2 : 0, ygap: labelled ? 2 : 0,
      colorbar: { thickness: 10, outlinewidth: 0, tickvals: [0, 0.5, 1], ticktext: ["0 %", "50 %", "100 %"], len: 0.5, y: 1, yanchor: "top" },
    }], {
      ...base, height,
      xaxis: { ...base.xaxis, type: "linear", range: undefined, autorange: true, showline: false, ticks: "", tickmode: "array",
        tickvals: texts.map((_, at) => at), ticktext: texts },
      yaxis: { ...base.yaxis, title: { text: labelled ? "" : `${rows.length} classes` }, range: [rows.length - 0.5, -0.5], showgrid: false,
        tickvals: labelled ? rows.map((_, at) => at) : [], ticktext: labelled ? rows.map((position) => plain(short(data.classes[position].title))) : [],
        automargin: true },
      margin: { l: 24, r: 8, t: 8, b: 54 },
    }, config);
    if (!node.listening) {
      node.listening = true;
      node.on("plotly_click", (event) => toggle(data.curves.find((entry) =>
        entry.axis === view.axis && entry.model === view.heat && entry.split === (view.splits[0] || 0)).order[event.points[0].y]));
    }
  };

  /* ---- classes: list, chips, pictures -------------------------------------------------- */

  let matches = [], active = -1;

  const toggle = (position) => {
    const at = view.classes.indexOf(position);
    if (at >= 0) view.classes.splice(at, 1); else view.classes.push(position);
    changed("classes");
  };

  const sparkline = (curve, position) => {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const line = document.createElementNS(space, "polyline");
    svg.setAttribute("width", "44"); svg.setAttribute("height", "14"); svg.setAttribute("aria-hidden", "true");
    const { accuracy } = numbers(curve), width = data.classes.length, last = Math.max(1, curve.values.length - 1);
    const points = curve.values.map((_, row) => [1 + 42 * row / last, 13 - 12 * accuracy[row * width + position]]);
    line.setAttribute("points", points.filter(([, y]) => !Number.isNaN(y)).map((point) => point.map((c) => c.toFixed(1)).join(",")).join(" "));
    svg.append(line);
    return svg;
  };

  const alphabetical = data.classes.map((_, index) => index)
    .sort((a, b) => data.classes[a].title.localeCompare(data.classes[b].title));

  const drawList = () => {
    const wanted = byId("class-search").value.trim().toLowerCase();
    matches = alphabetical.filter((index) =>
      data.classes[index].title.toLowerCase().includes(wanted) || data.classes[index].name.toLowerCase().includes(wanted));
    active = wanted && matches.length ? 0 : -1;
    const curve = data.curves.find(shown);
    byId("class-list").replaceChildren(...matches.map((index, row) => {
      const entry = data.classes[index];
      const item = make("li", { id: `class-${index}`, role: "option", title: entry.name }, make("span", { textContent: entry.title }));
      if (curve) item.append(sparkline(curve, index));
      item.append(make("small", { textContent: entry.n, title: entry.n === 1 ? "1 image" : `${entry.n} images` }));
      item.addEventListener("click", () => { active = row; toggle(index); });
      return item;
    }));
    byId("class-count").textContent = wanted
      ? `${matches.length} of ${data.classes.length} classes`
      : `${data.classes.length} ${data.classes.length === 1 ? "class" : "classes"}`;
    markList();
  };

  const markList = () => {
    [...byId("class-list").children].forEach((item, row) => {
      const order = view.classes.indexOf(matches[row]);
      item.setAttribute("aria-selected", String(order >= 0));
      item.style.borderLeftColor = order >= 0 ? colour(order) : "transparent";
      item.classList.toggle("active", row === active);
    });
    const input = byId("class-search");
    if (active >= 0) input.setAttribute("aria-activedescendant", `class-${matches[active]}`);
    else input.removeAttribute("aria-activedescendant");
  };

  const drawChips = () => {
    const chips = view.classes.map((position, order) => {
      const button = make("button", { type: "button", title: "Remove this curve" });
      const line = make("b");
      line.style.background = colour(order);
      button.append(line, data.classes[position].title + "\u2002×");
      button.addEventListener("click", () => toggle(position));
      return make("li", {}, button);
    });
    if (view.classes.length > 1) {
      const none = make("button", { type: "button", className: "plain", textContent: "remove all" });
      none.addEventListener("click", () => { view.classes = []; changed("classes"); });
      chips.push(make("li", {}, none));
    }
    byId("chosen").replaceChildren(...chips);
  };

  const drawPictures = () => {
    const groups = view.classes.filter((position) => data.pictures[position]).map((position) => {
      const entry = data.classes[position];
      const images = data.pictures[position].map((source) =>
        make("img", { src: source, alt: `Picture of the class ${entry.title}` }));
      const count = entry.n === 1 ? " 1 image" : ` ${images.length} of ${entry.n} images`;
      return make("section", {}, make("h3", { textContent: entry.title }, make("small", { textContent: count })),
        make("div", { className: images.length === 1 ? "one" : "" }, ...images));
    });
    groups.forEach((group) => { group.style.margin = 0; });
    byId("class-pictures").replaceChildren(...groups);
    byId("pictures").hidden = !groups.length;
  };

  /* ---- examples ------------------------------------------------------------------------ */

  const verdict = (model, prediction, label) => {
    const right = prediction === label;
    const line = make("span", { className: `verdict ${right ? "right" : "wrong"}`, title: data.models[model] });
    const said = right ? "✓" : `✗ ${data.predictions[prediction]}`;
    if (data.models.length > 1) {
      const mark = make("i", { textContent: glyph(model) });
      mark.style.color = colour(model);
      line.append(mark);
    }
    line.append(said);
    return line;
  };

  const drawStrip = () => {
    byId("examples").hidden = !data.strips.length;
    if (!data.strips.length) return;
    const strip = data.strips[view.strip];
    const axis = data.axes[view.axis];
    const rank = (item) => (item.axis === null ? -1 : axis.values.indexOf(item.value));
    const items = strip.items
      .filter((item) => item.axis === null || item.axis === view.axis)
      .sort((a, b) => rank(a) - rank(b) || a.replicate - b.replicate);
    byId("strip").replaceChildren(...items.map((item) => {
      const name = item.axis === null ? "identity" : `${axis.name} ${axis.texts[rank(item)]}`;
      const caption = make("figcaption", {}, make("span", { className: "value", textContent: name }));
      item.verdicts.filter(([model]) => view.models.includes(model)).sort((a, b) => a[0] - b[0])
        .forEach(([model, prediction]) => caption.append(verdict(model, prediction, strip.label)));
      return make("figure", {}, make("img", { src: item.source, alt: `${data.classes[strip.class].title}, ${name}`}), caption);
    }));
  };

  /* ---- controls ------------------------------------------------------------------------ */

  const choices = (id, type, names, current, decorate, choose) => {
    const box = byId(id);
    box.querySelectorAll(".choice").forEach((node) => node.remove());
    names.forEach((name, index) => {
      const input = make("input", { type, name: id, value: name, checked: current(index) });
      input.addEventListener("change", () => choose(index, input.checked));
      const words = make("span");
      words.append(...decorate(index), name);
      box.append(make("label", { className: "choice" }, input, words));
    });
  };

  const drawControls = () => {
    choices("axis-choice", "radio", data.axes.map((axis) => axis.name), (index) => index === view.axis, () => [],
      (index) => { view.axis = index; changed("axis"); });
    const swap = (list, index, on) => (on ? [...list, index] : list.filter((other) => other !== index)).sort((a, b) => a - b);
    choices("model-choice", "checkbox", data.models, (index) => view.models.includes(index), (index) => {
      const mark = make("i", { textContent: glyph(index) });
      mark.style.color = colour(index);
      return [mark];
    }, (index, on) => { view.models = swap(view.models, index, on); changed("models"); });
    byId("split-choice").hidden = data.splits.length < 2;
    choices("split-choice", "checkbox", data.splits, (index) => view.splits.includes(index), () => [],
      (index, on) => { view.splits = swap(view.splits, index, on); changed("splits"); });
    byId("aggregate").value = view.aggregate;
    byId("strip-choice").value = String(view.strip);
    byId("heat-model").value = String(view.heat);
  };

  const draw = (what) => {
    if (what !== "classes") { drawMean(); drawHeat(); drawStrip(); drawList(); }
    drawChips(); markList(); drawClasses(); drawPictures();
  };

  const changed = (what) => { writeFragment(); draw(what); };

  const setUp = () => {
    byId("strip-choice").append(...data.strips.map((strip, index) =>
      make("option", { value: String(index), textContent: `${data.classes[strip.class].title} (${strip.name})` })));
    byId("heat-model").append(...data.models.map((name, index) => make("option", { value: String(index), textContent: name })));
    byId("strip-choice").addEventListener("change", (event) => { view.strip = Number(event.target.value); writeFragment(); drawStrip(); });
    byId("aggregate").addEventListener("change", (event) => { view.aggregate = event.target.value; writeFragment(); drawMean(); });
    byId("heat-model").addEventListener("change", (event) => { view.heat = Number(event.target.value); writeFragment(); drawHeat(); });
    byId("toolbar").addEventListener("submit", (event) => event.preventDefault());
    const search = byId("class-search");
    search.addEventListener("input", drawList);
    search.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        const step = event.key === "ArrowDown" ? 1 : -1;
        active = Math.max(0, Math.min(matches.length - 1, active + step));
        markList();
        const item = byId("class-list").children[active];
        if (item) item.scrollIntoView({ block: "nearest" });
      } else if (event.key === "Enter" && active >= 0) {
        toggle(matches[active]);
      } else if (event.key === "Escape") {
        search.value = "";
        drawList();
      } else return;
      event.preventDefault();
    });
    addEventListener("hashchange", () => { readFragment(); drawControls(); draw(); });
    dark.addEventListener("change", () => { drawControls(); draw(); });
    addEventListener("beforeprint", () => { printing = true; draw(); });
    addEventListener("afterprint", () => { printing = false; draw(); });
  };

  readFragment();
  setUp();
  drawControls();
  draw();
})();
