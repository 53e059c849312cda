/* Draws what Python computed. No number is made here; the view is kept in the URL fragment. */
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const MISSING = 65535, FINEST = 65534;
  const NEVER = 1000, WRONG = 1001;  // as in lpa/report/flips.py
  const BANDS = 6;           // curves up to which intervals are drawn as bands
  const ROWS = 100;          // rows of the ranking shown at a time
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
  const points = (number) => (known(number) ? minus((100 * number).toFixed(1)) : "–");
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
  const textOf = (axis, value) => {
    const at = data.axes[axis].values.indexOf(value);
    return at < 0 ? short(value) : data.axes[axis].texts[at];
  };

  /* ---- packed numbers ------------------------------------------------------------------ */

  // Plain loops: a large page holds a million numbers.
  const unpacked = (text, size, array, read) => {
    const bytes = atob(text), view = new DataView(new ArrayBuffer(bytes.length));
    for (let at = 0; at < bytes.length; at += 1) view.setUint8(at, bytes.charCodeAt(at));
    const found = new array(bytes.length / size);
    for (let at = 0; at < found.length; at += 1) found[at] = read(view, size * at);
    return found;
  };
  const fractions = (text) => unpacked(text, 2, Float64Array, (view, at) => {
    const step = view.getUint16(at, true);
    return step === MISSING ? NaN : step / FINEST;
  });
  const whole = (text) => unpacked(text, 2, Int32Array, (view, at) => {
    const step = view.getUint16(at, true);
    return step === MISSING ? -1 : step;
  });
  const floats = (text) => unpacked(text, 4, Float64Array, (view, at) => view.getFloat32(at, true));
  const kept = new Map();
  const once = (key, unpack) => {
    if (!kept.has(key)) kept.set(key, unpack());
    return kept.get(key);
  };
  const accuracies = (curve) => once(curve, () => fractions(curve.accuracy));
  const intervals = (curve) => (curve.intervals ? once(curve.values, () => fractions(curve.intervals)) : null);
  const accuracyOf = (curve, position) =>
    curve.values.map((_, row) => accuracies(curve)[row * data.classes.length + position]);
  const ofClass = (curve, position) => {
    const limits = intervals(curve), width = data.classes.length, size = curve.values.length * width;
    const pick = (offset) =>
      curve.values.map((_, row) => (limits ? limits[offset + row * width + position] : NaN));
    return { accuracy: accuracyOf(curve, position), low: pick(0), high: pick(size) };
  };
  const columnsOf = (record) => once(record, () =>
    Object.fromEntries(Object.entries(record.columns).map(([name, text]) => [name, floats(text)])));
  const flowsOf = (record) => once(record, () => {
    const to = whole(record.to), images = floats(record.images), claimed = whole(record.claimed);
    const [flow, low, high] = ["flow", "low", "high"].map((name) => fractions(record[name]).map((x) => 2 * x - 1));
    const rows = new Map();
    whole(record.of).forEach((position, at) => {
      if (!rows.has(position)) rows.set(position, []);
      rows.get(position).push({ to: to[at], images: images[at], flow: flow[at], low: low[at], high: high[at], claimed: claimed[at] });
    });
    return rows;
  });
  const flipsOf = (record) => once(record, () => ({ at: whole(record.at), said: whole(record.said) }));

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
  const telling = data.strips.length ? tellingStrip() : 0;
  const foremost = data.findings[0];

  const start = () => ({
    axis: foremost ? foremost.axis : 0,
    models: data.models.map((_, index) => index),
    splits: data.splits.map((_, index) => index),
    classes: [...data.first],
    strip: telling,
    aggregate: "mean of classes",
    focus: foremost ? foremost.model : 0,
    level: data.levels.includes("run") ? "run" : "image",
    sort: "rank",
    down: false,
    filter: "",
    only: "all",
  });
  let view = start(), rowsShown = ROWS;

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
    const focus = data.models.indexOf(given.get("focus"));
    if (focus >= 0) found.focus = focus;
    if (data.levels.includes(given.get("level"))) found.level = given.get("level");
    if (COLUMNS.some((column) => column.name === given.get("sort"))) found.sort = given.get("sort");
    found.down = given.get("order") === "down";
    found.filter = given.get("filter") || "";
    if ([...byId("ranking-only").options].some((option) => option.value === given.get("only"))) found.only = given.get("only");
    view = found;
    rowsShown = ROWS;
  };

  const writeFragment = () => {
    const made = new URLSearchParams(), usual = start();
    made.set("axis", data.axes[view.axis].name);
    if (view.models.length < data.models.length) {
      view.models.forEach((index) => made.append("model", data.models[index]));
      if (!view.models.length) made.append("model", "");
    }
    if (view.splits.length < data.splits.length) {
      view.splits.forEach((index) => made.append("split", data.splits[index]));
      if (!view.splits.length) made.append("split", "");
    }
    view.classes.forEach((index) => made.append("class", data.classes[index].name));
    if (!view.classes.length) made.append("class", "");
    if (data.strips.length) made.set("photograph", data.strips[view.strip].name);
    if (view.aggregate === "overall") made.set("average", "overall");
    if (view.focus !== usual.focus) made.set("focus", data.models[view.focus]);
    if (view.level !== usual.level) made.set("level", view.level);
    if (view.sort !== usual.sort) made.set("sort", view.sort);
    if (view.down) made.set("order", "down");
    if (view.filter) made.set("filter", view.filter);
    if (view.only !== "all") made.set("only", view.only);
    history.replaceState(null, "", "#" + made);
  };

  // Trainings have bands of two levels; a run of fixed models has one.
  const atLevel = (entry) => entry.level === view.level || data.runs[entry.run].level !== "run";
  const chosen = (entry) => atLevel(entry) && view.models.includes(entry.model) && view.splits.includes(entry.split);
  const shown = (entry) => entry.axis === view.axis && chosen(entry);
  // What tables and maps show: the model in focus, on the last split chosen (tests come after training).
  const focusSplit = () => (view.splits.length ? view.splits[view.splits.length - 1] : data.splits.length - 1);
  const inFocus = (records, axis = view.axis) => {
    const mine = records.filter((entry) => entry.axis === axis && entry.model === view.focus && (entry.accuracy === undefined || atLevel(entry)));
    return mine.find((entry) => entry.split === focusSplit()) || mine[mine.length - 1];
  };

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
    const sure = series.low.map((low, at) => (known(low) ? at : -1)).filter((at) => at >= 0);
    if (banded && sure.length > 1) {
      const back = [...sure].reverse();
      traces.push({
        x: [...sure, ...back].map((at) => entry.values[at]),
        y: [...sure.map((at) => series.low[at]), ...back.map((at) => series.high[at])],
        fill: "toself", fillcolor: translucent(hue), line: { width: 0 }, mode: "lines",
        hoverinfo: "skip", showlegend: false, meta: "interval",
      });
    }
    const replicate = data.runs[entry.run].level === "run" ? "run" : "draw";
    traces.push({
      x: entry.values, y: series.accuracy, name: plain(name), mode: "lines+markers",
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

  const curveName = (entry, first) => {
    const words = first ? [first] : [];
    if (!first || data.models.length > 1) words.push(data.models[entry.model]);
    if (data.splits.length > 1) words.push(data.splits[entry.split]);
    return words.join(", ");
  };

  const byModel = (a, b) => a.model - b.model || a.split - b.split;
  const meanEntries = () => data.means.filter((entry) => shown(entry) && entry.aggregate === view.aggregate).sort(byModel);
  const levelsOf = (entries) => [...new Set(entries.map((entry) => entry.level))].join(" and ");

  const drawMean = () => {
    if (!window.Plotly) return;  // it is drawn when Plotly has started
    const entries = meanEntries();
    const traces = entries.flatMap((entry) =>
      curveTraces(entry, entry, curveName(entry), colour(entry.model), entries.length <= BANDS));
    const methods = [...new Set(entries.map((entry) => entry.method))];
    byId("mean-note").textContent = entries.length
      ? (entries.length <= BANDS ? "Bands are 95 % intervals" : `Bands are hidden while more than ${BANDS} curves are shown; hover for 95 % intervals`) +
        ` (${methods.join("; ")}; level: ${levelsOf(entries)}).` +
        (data.splits.includes("train") ? " Training images are dashed." : "")
      : view.models.length ? "Nothing that is chosen above was measured on this axis." : "No model is chosen above.";
    const narrow = byId("mean-plot").clientWidth < 600;
    const legend = entries.length > 1 && !(narrow && entries.length > 4);
    Plotly.react("mean-plot", bandsFirst(traces), layout({
      showlegend: legend,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: narrow ? 11 : 12 } },
      margin: { l: 56, r: 12, t: legend ? 40 : 12, b: 54 },
    }), config);
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
    if (single) words.push("A class of one photograph has no interval: its curve describes that photograph.");
    if (data.runs.length > 1 && view.classes.some((position) => data.classes[position].n.includes(0))) words.push("Some classes are not in every run.");
    byId("class-note").textContent = words.join(" ");
    Plotly.react("class-plot", bandsFirst(traces), layout(), config);
  };

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
    const height = labelled ? 110 + 20 * rows.length : 620;
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
      xaxis: { ...base.xaxis, type: "category", range: undefined, autorange: true, showline: false, ticks: "", tickmode: "array",
        tickvals: texts.map((_, at) => at), ticktext: texts },
      yaxis: { ...base.yaxis, title: { text: labelled ? "" : `${rows.length} classes` }, range: [rows.length - 0.5, -0.5], showgrid: false,
        tickvals: labelled ? rows.map((_, at) => at) : [], ticktext: labelled ? rows.map((position) => plain(cut(data.classes[position].title))) : [],
        automargin: true },
      margin: { l: 24, r: 8, t: 8, b: 54 },
    }, config);
    if (!node.listening) {
      node.listening = true;
      node.on("plotly_click", (event) => {
        const [row] = event.points[0].pointIndex || event.points[0].pointNumber;
        toggle(inFocus(data.curves).order[row]);
      });
    }
  };

  /* ---- small multiples: augmentations by models ---------------------------------------- */

  const WIDE = 200, HIGH = 112, EDGE = 4;

  const panel = (axisAt, model) => {
    const axis = data.axes[axisAt];
    const scaled = (value) => (axis.layout.type === "log" ? Math.log10(value) : value);
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

  /* ---- ranking ------------------------------------------------------------------------- */

  const strengthOf = (number) => {
    const axis = data.axes[view.axis];
    return axis.stronger === "down" && Number.isFinite(number) ? axis.reference - number
      : Number.isFinite(number) ? number - axis.reference : number;
  };
  const threshold = (number) =>
    number === -Infinity ? "at once" : number === Infinity ? "never" : known(number) ? String(Number(number.toPrecision(3))) : "–";
  const between = (low, high, write) => (known(low) && known(high) ? `${write(low)} to ${write(high)}` : "");

  const COLUMNS = [
    { name: "class", title: () => "Class", key: (_, at) => data.classes[at].title },
    { name: "rank", title: () => "Rank", key: (c, at) => c.rank[at], text: (c, at) => (known(c.rank[at]) ? String(c.rank[at]) : "–"),
      interval: (c, at) => between(c.rankLow[at], c.rankHigh[at], (r) => String(Math.round(r))) },
    { name: "among", title: () => "Among the 10 most hurt", key: (c, at) => c.among[at], text: (c, at) => (known(c.among[at]) ? Math.round(100 * c.among[at]) + " %" : "–") },
    { name: "loss", title: () => "Mean loss J, points", key: (c, at) => c.loss[at], text: (c, at) => points(c.loss[at]), interval: (c, at) => between(c.low[at], c.high[at], points) },
    { name: "there", title: (record) => `Loss at ${textOf(record.axis, record.value)}, points`, key: (c, at) => c.there[at], text: (c, at) => points(c.there[at]),
      interval: (c, at) => between(c.thereLow[at], c.thereHigh[at], points) },
    { name: "threshold", title: () => "Threshold for 10 points", key: (c, at) => strengthOf(c.threshold[at]), text: (c, at) => threshold(c.threshold[at]),
      interval: (c, at) => between(c.soonest[at], c.latest[at], threshold) },
    { name: "images", title: () => "Images", key: (_, at) => sizeOf(at), text: (_, at) => String(sizeOf(at)) },
  ];
  const columnsShown = (record) => COLUMNS.filter((column) => column.name !== "there" || record.value !== undefined);

  const rankingRows = (record) => {
    const columns = columnsOf(record), column = columnsShown(record).find((each) => each.name === view.sort) || COLUMNS[1];
    const wanted = view.filter.trim().toLowerCase();
    const passes = {
      all: () => true,
      lost: (at) => columns.thereLow && columns.thereLow[at] > 0,
      threshold: (at) => known(columns.threshold[at]) && columns.threshold[at] !== Infinity,
      chosen: (at) => view.classes.includes(at),
    }[view.only];
    const rows = data.classes.map((_, at) => at).filter((at) => data.classes[at].n[record.run] && passes(at) &&
      (data.classes[at].title.toLowerCase().includes(wanted) || data.classes[at].name.toLowerCase().includes(wanted)));
    const sign = view.down ? -1 : 1;
    const lesser = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a === b ? 0 : a < b ? -1 : 1);
    return rows.map((at) => ({ at, key: column.key(columns, at) })).sort((a, b) => {
      // What has no number comes last, whichever way the rest is sorted.
      const there = Number(known(b.key)) - Number(known(a.key));
      return there || sign * (known(a.key) ? lesser(a.key, b.key) : 0) || lesser(columns.loss[b.at], columns.loss[a.at]) || a.at - b.at;
    }).map(({ at }) => at);
  };

  const drawRanking = () => {
    const record = inFocus(data.ranks), table = byId("ranking-table");
    byId("ranking-more").hidden = true;
    byId("ranking-count").textContent = "";
    if (!record) {
      table.tHead.replaceChildren();
      table.tBodies[0].replaceChildren();
      byId("ranking-note").textContent = `${data.models[view.focus]} has no losses on ${data.axes[view.axis].name}: that takes the reference and another value.`;
      return;
    }
    const columns = columnsOf(record), list = columnsShown(record), rows = rankingRows(record);
    byId("ranking-note").textContent = record.ranked
      ? `${curveName(record)} on ${data.axes[record.axis].name}: ${record.ranked} ${record.ranked === 1 ? "class" : "classes"} ranked by their mean loss along the axis, 1 the most hurt. Intervals are 95 %, of level ${record.level}, each by itself. Click a class to show its curve.`
      : `${curveName(record)} on ${data.axes[record.axis].name}: no class is ranked, since none has 10 images and an interval. The losses below describe these images${data.runs[record.run].level === "run" ? " and trainings" : ""}. Click a class to show its curve.`;
    table.tHead.replaceChildren(make("tr", {}, ...list.map((column) => {
      const sorted = column.name === view.sort;
      const button = make("button", { type: "button", textContent: column.title(record) });
      button.addEventListener("click", () => {
        view.down = sorted ? !view.down : false;
        view.sort = column.name;
        writeFragment();
        drawRanking();
        byId("ranking-table").querySelector(`th[data-column="${column.name}"] button`).focus();
      });
      const head = make("th", { scope: "col" }, button);
      head.dataset.column = column.name;
      head.setAttribute("aria-sort", sorted ? (view.down ? "descending" : "ascending") : "none");
      return head;
    })));
    table.tBodies[0].replaceChildren(...rows.slice(0, printing ? 50 : rowsShown).map((at) => {
      const order = view.classes.indexOf(at);
      const name = make("button", { type: "button" });
      const line = make("b");
      if (order >= 0) line.style.background = colour(order);
      name.append(line, data.classes[at].title);
      name.setAttribute("aria-pressed", String(order >= 0));
      const row = make("tr", { className: order >= 0 ? "on" : "" }, make("th", { scope: "row" }, name));
      row.addEventListener("click", () => {
        toggle(at);
        const again = byId("ranking-table").querySelector(`tr[data-class="${at}"] button`);
        if (again) again.focus({ preventScroll: true });
      });
      row.dataset.class = at;
      row.append(...list.slice(1).map((column) => make("td", {}, make("span", { className: "number", textContent: column.text(columns, at) }),
        make("span", { className: "interval", textContent: column.interval ? column.interval(columns, at) : "" }))));
      return row;
    }));
    byId("ranking-count").textContent = `${rows.length} of ${data.classes.filter((entry) => entry.n[record.run]).length} classes`;
    byId("ranking-more").hidden = rows.length <= rowsShown;
    byId("ranking-more").textContent = `Show ${Math.min(ROWS, rows.length - rowsShown)} more of ${rows.length - rowsShown}`;
  };

  /* ---- classes: list, chips ------------------------------------------------------------ */

  let matches = [], active = -1;

  const toggle = (position) => {
    const at = view.classes.indexOf(position);
    if (at >= 0) view.classes.splice(at, 1); else view.classes.push(position);
    changed("classes");
  };

  const sparkline = (curve, position) => {
    const accuracy = accuracies(curve), width = data.classes.length, last = Math.max(1, curve.values.length - 1);
    const spots = curve.values.map((_, row) => [1 + 42 * row / last, 13 - 12 * accuracy[row * width + position]]);
    return drawn("svg", { width: 44, height: 14, "aria-hidden": "true" }, drawn("polyline", {
      points: spots.filter(([, y]) => !Number.isNaN(y)).map((spot) => spot.map((c) => c.toFixed(1)).join(",")).join(" "),
    }));
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
      const entry = data.classes[index], size = sizeOf(index);
      const item = make("li", { id: `class-${index}`, title: entry.name }, make("span", { textContent: entry.title }));
      item.setAttribute("role", "option");
      if (curve) item.append(sparkline(curve, index));
      item.append(make("small", { textContent: size, title: size === 1 ? "1 image" : `${size} images` }));
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

  /* ---- the chosen classes, closely: pictures, flips, drift ------------------------------ */

  const picturesOf = (run, position) => data.pictures[run][position];
  const flipRecord = (run, axis, model) =>
    data.flips.find((entry) => entry.run === run && entry.axis === axis && entry.model === model);
  const valuesOf = (axis, model) => {
    const curve = data.curves.find((entry) => entry.axis === axis && entry.model === model);
    return curve ? curve.values : [];
  };

  // Where one picture flips, in words; null where the model was not measured.
  const flipOf = (run, axis, model, number) => {
    const record = flipRecord(run, axis, model);
    if (!record) return null;
    const { at, said } = flipsOf(record);
    const words = { at: at[number], said: titleOf(run, said[number]) };
    if (words.at < 0) return null;
    if (words.at === NEVER) return { ...words, right: true, text: "keeps its label" };
    if (words.at === WRONG) return { ...words, right: false, text: `wrong from the start: ${words.said}` };
    const value = textOf(axis, valuesOf(axis, model)[words.at]);
    return { ...words, right: false, text: `from ${value} on: ${words.said}` };
  };

  const captioned = (source, alternative, right, text) => {
    const caption = make("figcaption", { className: right ? "right" : "wrong", textContent: `${right ? "✓" : "✗"} ${text}` });
    return make("figure", {}, make("img", { src: source, alt: alternative }), ...(text ? [caption] : []));
  };

  const driftTable = (run, position) => {
    const record = inFocus(data.drifts);
    const rows = record && record.run === run ? flowsOf(record).get(position) || [] : [];
    if (!rows.length) return null;
    const claim = ["", "shown", "shown, a swap"];
    const body = rows.map((row) => make("tr", {},
      make("th", { scope: "row", textContent: titleOf(run, row.to) }),
      make("td", { className: "number", textContent: `+${short(Math.round(10 * row.images) / 10)}` }),
      make("td", {}, make("span", { className: "number", textContent: `+${points(row.flow)}` }),
        make("span", { className: "interval", textContent: between(row.low, row.high, points) })),
      make("td", { textContent: claim[row.claimed] })));
    const place = `${data.axes[record.axis].name} ${textOf(record.axis, record.value)}`;
    const head = ["Taken for, at " + place, "Images", "Points", ""].map((text) => make("th", { scope: "col", textContent: text }));
    return make("div", { className: "scroll" },
      make("table", { className: "numbers drift" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body)));
  };

  const drawPictures = () => {
    const run = runOf(view.focus);
    const groups = view.classes.map((position, order) => {
      const entry = data.classes[position], found = picturesOf(run, position), drift = driftTable(run, position);
      if (!found && !drift) return null;
      const size = entry.n[run];
      const count = found ? (size === 1 ? " 1 image" : ` ${found.sources.length} of ${size} images`) : ` ${size} images, no pictures`;
      const line = make("b");
      line.style.background = colour(order);
      const images = (found ? found.sources : []).map((source, at) => {
        const flip = flipOf(run, view.axis, view.focus, found.start + at);
        return captioned(source, `Picture of the class ${entry.title}`, flip ? flip.right : true, flip ? flip.text : "");
      });
      return make("section", {}, make("h3", {}, line, entry.title, make("small", { textContent: count })),
        make("div", { className: images.length === 1 ? "pictures one" : "pictures" }, ...images), ...(drift ? [drift] : []));
    }).filter(Boolean);
    byId("class-pictures").replaceChildren(...groups);
    byId("pictures").hidden = !groups.length;
    byId("pictures-note").textContent = `For ${data.models[view.focus]} on ${data.axes[view.axis].name}: under each picture, from which value on its label is no longer the most frequent prediction, and what is said instead. ` +
      (inFocus(data.drifts) ? "Tables: which predictions the class gains, as images on balance and in points with 95 % intervals (level image); only what is marked as shown is a claim." : "");
  };

  /* ---- findings ------------------------------------------------------------------------ */

  const evidence = (finding) => {
    const strip = data.strips.find((entry) => entry.run === finding.run && entry.class === finding.class);
    const place = `${data.axes[finding.axis].name} ${textOf(finding.axis, finding.value)}`;
    const title = data.classes[finding.class].title, images = [];
    const item = strip && strip.items.find((each) => each.axis === finding.axis && each.value === finding.value);
    const saying = item && item.verdicts.find(([model, prediction]) => model === finding.model && prediction !== strip.label);
    if (saying) images.push(captioned(item.source, `${title}, ${place}`, false, `at ${place}: ${titleOf(finding.run, saying[1])}`));
    const found = picturesOf(finding.run, finding.class);
    const position = valuesOf(finding.axis, finding.model).indexOf(finding.value);
    (found ? found.sources : []).forEach((source, at) => {
      const flip = flipOf(finding.run, finding.axis, finding.model, found.start + at);
      if (flip && flip.at <= position) images.push(captioned(source, `Picture of the class ${title}`, false, flip.text));
    });
    return images.slice(0, 4);
  };

  const announce = (text) => { byId("announce").textContent = text; };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Where the clipboard is closed to pages, the older way still is open.
      const area = make("textarea", { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };

  const setUpFindings = () => {
    document.querySelectorAll("[data-evidence]").forEach((node) => node.append(...evidence(data.findings[node.dataset.evidence])));
    document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", async () => {
      await copy(data.findings[button.dataset.copy].markdown);
      announce("The finding is copied as Markdown.");
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy finding"; }, 2000);
    }));
    document.querySelectorAll("[data-show]").forEach((button) => button.addEventListener("click", () => {
      const finding = data.findings[button.dataset.show];
      Object.assign(view, { axis: finding.axis, focus: finding.model, classes: [finding.class] });
      if (!view.models.includes(finding.model)) view.models = [...view.models, finding.model].sort((a, b) => a - b);
      if (!view.splits.includes(finding.split)) view.splits = [...view.splits, finding.split].sort((a, b) => a - b);
      drawControls();
      changed();
      byId("classes").scrollIntoView({ block: "start" });
    }));
  };

  /* ---- examples ------------------------------------------------------------------------ */

  const verdict = (model, prediction, strip) => {
    const right = prediction === strip.label;
    const line = make("span", { className: `verdict ${right ? "right" : "wrong"}`, title: data.models[model] });
    const said = right ? "✓" : `✗ ${titleOf(strip.run, prediction)}`;
    if (data.models.length > 1) {
      const mark = make("i", { textContent: glyph(model) });
      mark.style.color = colour(model);
      line.append(mark);
    }
    line.append(said);
    return line;
  };

  const drawStrip = () => {
    // A run beside this one may have no examples on the axis.
    const onAxis = (strip) => strip.items.some((item) => item.axis === view.axis);
    byId("examples").hidden = !data.strips.some(onAxis);
    if (byId("examples").hidden) return;
    if (!onAxis(data.strips[view.strip])) view.strip = data.strips.findIndex(onAxis);
    byId("strip-choice").value = String(view.strip);
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
        .forEach(([model, prediction]) => caption.append(verdict(model, prediction, strip)));
      return make("figure", {}, make("img", { src: item.source, alt: `${data.classes[strip.class].title}, ${name}` }), caption);
    }));
  };

  /* ---- the numbers behind each figure, as CSV ------------------------------------------ */

  // As lpa/csv_cells.py: a spreadsheet must not take a name for a formula.
  const cell = (value) => {
    if (typeof value === "number") return Number.isNaN(value) ? "" : value === Infinity ? "never" : value === -Infinity ? "at once" : String(Math.round(value * 1e6) / 1e6);
    if (value === null || value === undefined) return "";
    if (typeof value === "boolean") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? "'" + value : value;
    return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const csv = (columns, rows) => [columns, ...rows].map((row) => row.map(cell).join(",") + "\n").join("");

  const CURVE = ["model", "axis", "split", "level"];
  const curveCells = (entry) => [data.models[entry.model], data.axes[entry.axis].name, data.splits[entry.split], entry.level];
  const classRows = (entries, positions) => entries.flatMap((entry) => positions.filter((at) => data.classes[at].n[entry.run]).flatMap((at) => {
    const series = ofClass(entry, at);
    return entry.values.map((value, row) => [...curveCells(entry), data.classes[at].name, data.classes[at].title, value,
      series.accuracy[row], series.low[row], series.high[row], data.classes[at].n[entry.run], entry.draws[row]]);
  }));
  const CLASS = [...CURVE, "class", "title", "value", "accuracy", "low", "high", "n", "draws"];

  const TABLES = {
    findings: () => {
      const names = data.findings.length ? Object.keys(data.findings[0].numbers) : [];
      return csv(names, data.findings.map((finding) => names.map((name) => finding.numbers[name])));
    },
    mean: () => csv([...CURVE, "aggregate", "value", "accuracy", "low", "high", "n", "draws", "method"], meanEntries().flatMap((entry) =>
      entry.values.map((value, at) => [...curveCells(entry), entry.aggregate, value, entry.accuracy[at], entry.low[at], entry.high[at], entry.n, entry.draws[at], entry.method]))),
    classes: () => csv(CLASS, classRows(classEntries(), view.classes)),
    multiples: () => csv(CLASS, classRows(data.curves.filter(chosen), view.classes)),
    heat: () => {
      const curve = inFocus(data.curves);
      return csv(CLASS, curve ? classRows([curve], curve.order) : []);
    },
    ranking: () => {
      const record = inFocus(data.ranks);
      const columns = record ? columnsOf(record) : {}, names = Object.keys(columns);
      return csv([...CURVE, "class", "title", "n", "value_of_there", ...names], record ? rankingRows(record).map((at) =>
        [...curveCells(record), data.classes[at].name, data.classes[at].title, data.classes[at].n[record.run], record.value, ...names.map((name) => columns[name][at])]) : []);
    },
    drift: () => {
      const record = inFocus(data.drifts), flows = record ? flowsOf(record) : new Map();
      return csv([...CURVE, "class", "title", "value", "other_title", "images", "flow", "low", "high", "claimed", "n", "method"], view.classes.flatMap((at) =>
        (flows.get(at) || []).map((row) => [...curveCells(record), data.classes[at].name, data.classes[at].title, record.value,
          titleOf(record.run, row.to), row.images, row.flow, row.low, row.high, row.claimed > 0, data.classes[at].n[record.run], record.method])));
    },
  };

  const download = (name) => {
    const table = data.tables[name];
    const text = table ? csv(table.columns, table.rows) : TABLES[name]();
    const source = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    make("a", { href: source, download: `${name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(source), 10000);
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
    byId("level-choice").hidden = data.levels.length < 2;
    const words = { run: "training runs", image: "images" };
    choices("level-choice", "radio", data.levels.map((level) => words[level]), (index) => data.levels[index] === view.level, () => [],
      (index) => { view.level = data.levels[index]; changed("level"); });
    byId("focus-choice").hidden = data.models.length < 2;
    byId("focus").value = String(view.focus);
    byId("aggregate").value = view.aggregate;
    byId("strip-choice").value = String(view.strip);
    byId("ranking-filter").value = view.filter;
    byId("ranking-only").value = view.only;
  };

  const draw = (what) => {
    if (what !== "classes") { drawMean(); drawHeat(); drawStrip(); drawList(); }
    drawChips(); markList(); drawClasses(); drawPictures(); drawRanking(); drawMultiples();
  };

  // Plotly takes longer to start than all the rest: words and tables answer before it.
  const startPlotly = () => {
    document.head.append(make("script", { textContent: byId("plotly").textContent }));
    byId("plotly").remove();
  };

  // After what is there has been painted; a page in the background paints nothing.
  const soon = (call) => (document.hidden ? setTimeout(call) : requestAnimationFrame(() => setTimeout(call)));

  const drawFirst = () => {
    drawChips(); drawList(); drawRanking();
    const later = [drawStrip, drawPictures, drawMultiples, startPlotly, drawMean, drawClasses, drawHeat];
    const next = () => {
      const piece = later.shift();
      if (!piece) { document.documentElement.dataset.drawn = "whole"; return; }
      piece();
      soon(next);
    };
    soon(next);
  };

  const changed = (what) => { writeFragment(); draw(what); };

  const setUp = () => {
    byId("strip-choice").append(...data.strips.map((strip, index) =>
      make("option", { value: String(index), textContent: `${data.classes[strip.class].title} (${strip.name})` })));
    byId("focus").append(...data.models.map((name, index) => make("option", { value: String(index), textContent: name })));
    byId("strip-choice").addEventListener("change", (event) => { view.strip = Number(event.target.value); writeFragment(); drawStrip(); });
    byId("aggregate").addEventListener("change", (event) => { view.aggregate = event.target.value; writeFragment(); drawMean(); });
    byId("focus").addEventListener("change", (event) => { view.focus = Number(event.target.value); rowsShown = ROWS; writeFragment(); drawHeat(); drawPictures(); drawRanking(); });
    byId("ranking-filter").addEventListener("input", (event) => { view.filter = event.target.value; rowsShown = ROWS; writeFragment(); drawRanking(); });
    byId("ranking-only").addEventListener("change", (event) => { view.only = event.target.value; rowsShown = ROWS; writeFragment(); drawRanking(); });
    byId("ranking-more").addEventListener("click", () => { rowsShown += ROWS; drawRanking(); });
    document.querySelectorAll(".download").forEach((button) =>
      button.addEventListener("click", () => download(button.dataset.numbers)));
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
  setUpFindings();
  drawControls();
  drawFirst();
})();
